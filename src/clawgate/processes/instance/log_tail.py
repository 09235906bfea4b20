"""What was logged last, and what is logged now? Reads log files from their ends, over rotation and truncation."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clawgate.processes.instance.log_file import OLDER_FILES

LEVELS = ("debug", "info", "warning", "error", "critical")
_BLOCK = 65_536
_LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. What is no line of ours, as the end of a program that crashed, is all ``message``."""

    time: str
    level: str
    subsystem: str
    message: str
    traceback: str = ""

    def is_at_least(self, level: str) -> bool:
        """Lines that name no level are never held back."""
        return self.level not in LEVELS or LEVELS.index(self.level) >= LEVELS.index(level)

    def as_json(self) -> str:
        fields = {
            "type": "log",
            "time": self.time,
            "level": self.level,
            "subsystem": self.subsystem,
            "message": self.message,
            "traceback": self.traceback,
        }
        return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)

    def as_text(self) -> str:
        """For a terminal, which no logged text may steer."""
        head = " ".join(filter(None, (self.time, self.level, self.subsystem, _harmless(self.message))))
        return "\n".join([head, *(f"    {_harmless(line)}" for line in self.traceback.splitlines())])


def _harmless(text: str) -> str:
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def entry_of(line: bytes) -> Entry:
    """Read one line of a log file."""
    text = line.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("message"), str):
        return Entry("", "", "", text)
    time, level, subsystem, traceback = (
        str(said.get(name, "")) for name in ("time", "level", "subsystem", "traceback")
    )
    return Entry(time, level, subsystem, said["message"], traceback)


def last_entries(path: Path, count: int, level: str = "debug") -> list[Entry]:
    """The last ``count`` entries of at least ``level``, the oldest first; also from older files of the same log."""
    found: list[Entry] = []
    if count <= 0:
        return found
    for line in _lines_backwards(path):
        entry = entry_of(line)
        if entry.is_at_least(level):
            found.append(entry)
            if len(found) == count:
                break
    return found[::-1]


def _lines_backwards(path: Path) -> Iterator[bytes]:
    for file_path in (path, *(path.with_name(f"{path.name}.{n}") for n in range(1, OLDER_FILES + 1))):
        try:
            with file_path.open("rb") as file:
                yield from _file_backwards(file)
        except FileNotFoundError:
            if file_path != path:
                return


def _file_backwards(file: IO[bytes]) -> Iterator[bytes]:
    position = file.seek(0, os.SEEK_END)
    rest = b""
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        *lines, last = (file.read(size) + rest).split(b"\n")[::-1]
        yield from filter(None, lines)
        rest = last[-_LONGEST_LINE:]
    if rest:
        yield rest


class Follower:
    """Reads what is added to a log from now on. `read` never waits; ``news`` says what happened to the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._part = b""
        with contextlib.suppress(FileNotFoundError):  # it may come yet
            self._file = path.open("rb")
            self._file.seek(0, os.SEEK_END)
        self.news: list[str] = []

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> list[Entry]:
        """The entries that were completed since the last call."""
        found = self._added()
        if self._was_replaced():
            found += self._added()  # what came between the two looks
            self.close()
            self._part = b""
            with contextlib.suppress(FileNotFoundError):  # between two files
                self._file = self._path.open("rb")
                self.news.append("the log file was rotated")
            found += self._added()
        return [entry_of(line) for line in found]

    def _was_replaced(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # not yet: what is held may still be written to
        if self._file is None:
            return True
        held = os.fstat(self._file.fileno())
        return (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino)

    def _added(self) -> list[bytes]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self.news.append("the log file was truncated")
            self._file.seek(0)
            self._part = b""
        *lines, self._part = (self._part + self._file.read()).split(b"\n")
        return [line for line in lines if line]
