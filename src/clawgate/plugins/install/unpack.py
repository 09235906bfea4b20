"""How do the files of a plugin get to us without harm? Copies a folder or unpacks a wheel; nothing of it is run.

Refused: links, devices, names that lead elsewhere or that two file systems would read differently, more than
`MOST_BYTES` or `MOST_FILES`. Everything is written with modes 0600 and 0700.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MOST_BYTES = 50 * 1024 * 1024
MOST_FILES = 5_000
MOST_DEPTH = 32
_PIECE = 65_536
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".tox"}
)
_ODD_NAME = re.compile(r"[\x00-\x1f\x7f\\:]|^\s|[\s.]$")


class SourceRejected(Exception):
    """The files cannot be taken; the text says why and, where there is one, the way out."""


@dataclass(slots=True)
class _ExtractionBudget:
    """Writes files below ``folder``, counts them, and knows their digest at the end."""

    folder: Path
    bytes: int = 0
    names: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)

    def take(self, name: str, source: BinaryIO) -> None:
        parts = _parts(name)
        self._ask_for_room(name)
        target = self.folder.joinpath(*parts)
        try:
            for depth in range(1, len(parts)):  # one by one: the mode would be of the last alone
                self.folder.joinpath(*parts[:depth]).mkdir(mode=0o700, exist_ok=True)
            file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise SourceRejected(f"'{shown(name)}' is there twice, as a file and as a folder") from None
        digest = hashlib.sha256()
        with open(file, "wb") as out:  # noqa: PTH123  # a descriptor, not a path
            while piece := source.read(_PIECE):
                self.bytes += len(piece)
                if self.bytes > MOST_BYTES:
                    raise SourceRejected(f"it is larger than {MOST_BYTES // 2**20} MB")
                digest.update(piece)
                out.write(piece)
        self.digests.append((name, digest.hexdigest()))

    def _ask_for_room(self, name: str) -> None:
        folded = name.casefold()
        if folded in self.names:
            raise SourceRejected(f"'{shown(name)}' is there twice (capitals do not count)")
        self.names.add(folded)
        if len(self.names) > MOST_FILES:
            raise SourceRejected(f"it has more than {MOST_FILES} files")

    def digest(self) -> str:
        """SHA-256 of the names and digests of all files, in the order of their names."""
        lines = (f"{digest}  {name}\n" for name, digest in sorted(self.digests))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def copy_folder(source: Path, target: Path) -> str:
    """Copy a source tree; returns its digest. Raises `SourceRejected`, OSError."""
    intake = _ExtractionBudget(target)
    for path, name in _files(source, "", 0):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(file, "rb") as content:  # noqa: PTH123  # a descriptor, not a path
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SourceRejected(f"'{shown(name)}' is no plain file")
            intake.take(name, content)
    return intake.digest()


def _files(folder: Path, within: str, depth: int) -> Iterator[tuple[Path, str]]:
    if depth > MOST_DEPTH:
        raise SourceRejected(f"its folders are nested deeper than {MOST_DEPTH}")
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = within + entry.name
        if entry.name in _LEFT_OUT or entry.name.endswith((".pyc", ".pyo")):
            continue
        if entry.is_symlink():
            raise SourceRejected(
                f"'{shown(name)}' is a link, and a plugin may not have any; put the file itself there"
            )
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), f"{name}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path), name
        else:
            raise SourceRejected(f"'{shown(name)}' is no plain file")


def unpack_wheel(wheel: Path, target: Path) -> str:
    """Unpack what a wheel puts on the import path; returns the wheel's digest. Raises `SourceRejected`, OSError."""
    intake = _ExtractionBudget(target)
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            if len(members) > 2 * MOST_FILES:
                raise SourceRejected(f"it has more than {MOST_FILES} files")
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise SourceRejected(f"it is larger than {MOST_BYTES // 2**20} MB")
            for member in members:
                _take_member(archive, member, intake)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise SourceRejected(f"{wheel.name} is no wheel that can be read: {error}") from None
    return digest


def _take_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, intake: _ExtractionBudget) -> None:
    # The name as it stands in the file: ZipInfo cuts it at a NUL.
    name = member.orig_filename
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise SourceRejected(f"'{shown(name)}' is a link, and a plugin may not have any")
    if name.endswith("/"):
        _parts(name[:-1])
        return
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise SourceRejected(f"'{shown(name)}' is no plain file")
    top = _parts(name)[0]
    if top.endswith(".data"):
        raise SourceRejected(
            f"'{shown(name)}' belongs outside of the package (scripts, headers); a plugin has none"
        )
    if name.endswith((".pyc", ".pyo", ".pth")):
        raise SourceRejected(f"'{shown(name)}' is nothing that a plugin may bring; leave it out of the wheel")
    with archive.open(member) as content:
        intake.take(name, content)  # type: ignore[arg-type]  # IO[bytes], which reads just so


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a relative path with nothing in it that leads elsewhere. Raises `SourceRejected`."""
    parts = PurePosixPath(name).parts
    plain = "/".join(parts) == name and not name.startswith("/") and len(name) < 1000
    if not plain or not parts or len(parts) > MOST_DEPTH + 1:
        raise SourceRejected(f"'{shown(name)}' is no plain path within the plugin")
    if any(part == ".." or _ODD_NAME.search(part) for part in parts):
        raise SourceRejected(f"'{shown(name)}' is no plain path within the plugin")
    return parts


def shown(name: str) -> str:
    """A name that somebody else chose, with nothing in it that a terminal would obey."""
    return (name if name.isprintable() else ascii(name)[1:-1])[:200]
