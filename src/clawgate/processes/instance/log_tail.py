"""Reads log files backwards from the end, and follows them over rotation and truncation."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from clawgate.policy.printable import escape_controls
from clawgate.processes.instance.log_file import OLDER_FILES

LEVELS = ("debug", "info", "warning", "error", "critical")
_BLOCK_BYTES = 65_536
_MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. A line of another program, as a crash's traceback, is all ``message``."""

    time: str
    level: str
    subsystem: str
    message: str
    traceback: str = ""

    def is_at_least(self, level: str) -> bool:
        """Return whether the entry has at least that level; entries without a level always pass."""
        return self.level not in LEVELS or LEVELS.index(self.level) >= LEVELS.index(level)

    def as_json(self) -> str:
        fields = {"type": "log", **asdict(self)}
        return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)

    def as_text(self) -> str:
        """Render for a terminal, with control characters escaped."""
        head = " ".join(filter(None, (self.time, self.level, self.subsystem, escape_controls(self.message))))
        return "\n".join([head, *(f"    {escape_controls(line)}" for line in self.traceback.splitlines())])


def parse_line(line: bytes) -> Entry:
    text = line.decode("utf-8", "replace")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("message"), str):
        return Entry("", "", "", text)
    time, level, subsystem, traceback = (
        str(fields.get(name, "")) for name in ("time", "level", "subsystem", "traceback")
    )
    return Entry(time, level, subsystem, fields["message"], traceback)


def last_entries(path: Path, count: int, level: str = "debug") -> list[Entry]:
    """Return the last ``count`` entries of at least ``level``, oldest first, also from rotated files."""
    entries: list[Entry] = []
    if count <= 0:
        return entries
    for line in _lines_backwards(path):
        entry = parse_line(line)
        if entry.is_at_least(level):
            entries.append(entry)
            if len(entries) == count:
                break
    return entries[::-1]


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
        size = min(_BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        *lines, last = (file.read(size) + rest).split(b"\n")[::-1]
        yield from filter(None, lines)
        rest = last[-_MAX_LINE_BYTES:]
    if rest:
        yield rest


class Follower:
    """Reads what is appended to a log from now on. `read` never blocks; ``notices`` report rotation and truncation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._partial = b""
        with contextlib.suppress(FileNotFoundError):  # it may be created later
            self._file = path.open("rb")
            self._file.seek(0, os.SEEK_END)
        self.notices: list[str] = []

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> list[Entry]:
        """Return the entries that were completed since the last call."""
        lines = self._appended()
        if self._was_replaced():
            lines += self._appended()  # appended between the read and the check
            self.close()
            self._partial = b""
            with contextlib.suppress(FileNotFoundError):  # during the rotation
                self._file = self._path.open("rb")
                self.notices.append("the log file was rotated")
            lines += self._appended()
        return [parse_line(line) for line in lines]

    def _was_replaced(self) -> bool:
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return False  # the open file may still be written to
        if self._file is None:
            return True
        held = os.fstat(self._file.fileno())
        return (held.st_dev, held.st_ino) != (current.st_dev, current.st_ino)

    def _appended(self) -> list[bytes]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.seek(0, os.SEEK_CUR):
            self.notices.append("the log file was truncated")
            self._file.seek(0)
            self._partial = b""
        *lines, self._partial = (self._partial + self._file.read()).split(b"\n")
        return [line for line in lines if line]
