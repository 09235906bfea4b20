"""Copies a plugin's folder, or unpacks its wheel, with limits. Must not run any of it.

Rejected: links, devices, paths that escape the folder or that file systems read differently, more than `MAX_BYTES` or
`MAX_FILES`. Everything is written with modes 0600 and 0700.
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

MAX_BYTES = 50 * 1024 * 1024
MAX_FILES = 5_000
MAX_DEPTH = 32
_READ_BYTES = 65_536
_SKIPPED = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".tox"}
)
_ODD_NAME = re.compile(r"[\x00-\x1f\x7f\\:]|^\s|[\s.]$")


class SourceRejected(Exception):
    """The files are not accepted. The text says why and, if possible, what to do."""


@dataclass(slots=True)
class _ExtractionBudget:
    """Writes files below ``folder`` within the limits, and computes their digest."""

    folder: Path
    bytes: int = 0
    names: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)

    def write(self, name: str, source: BinaryIO) -> None:
        parts = _parts(name)
        self._count(name)
        target = self.folder.joinpath(*parts)
        try:
            for depth in range(1, len(parts)):  # one by one: the mode would be of the last alone
                self.folder.joinpath(*parts[:depth]).mkdir(mode=0o700, exist_ok=True)
            file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise SourceRejected(f"'{printable(name)}' is both a file and a folder") from None
        digest = hashlib.sha256()
        with open(file, "wb") as out:  # noqa: PTH123  # a descriptor, not a path
            while chunk := source.read(_READ_BYTES):
                self.bytes += len(chunk)
                if self.bytes > MAX_BYTES:
                    raise SourceRejected(f"it is larger than {MAX_BYTES // 2**20} MB")
                digest.update(chunk)
                out.write(chunk)
        self.digests.append((name, digest.hexdigest()))

    def _count(self, name: str) -> None:
        folded = name.casefold()
        if folded in self.names:
            raise SourceRejected(f"'{printable(name)}' is a duplicate file name (case-insensitive)")
        self.names.add(folded)
        if len(self.names) > MAX_FILES:
            raise SourceRejected(f"it has more than {MAX_FILES} files")

    def digest(self) -> str:
        """Return SHA-256 of the names and digests of all files, sorted by name."""
        lines = (f"{digest}  {name}\n" for name, digest in sorted(self.digests))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def copy_folder(source: Path, target: Path) -> str:
    """Copy a source tree and return its digest. Raises `SourceRejected`, OSError."""
    budget = _ExtractionBudget(target)
    for path, name in _files(source, "", 0):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(file, "rb") as content:  # noqa: PTH123  # a descriptor, not a path
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SourceRejected(f"'{printable(name)}' is not a regular file")
            budget.write(name, content)
    return budget.digest()


def _files(folder: Path, within: str, depth: int) -> Iterator[tuple[Path, str]]:
    if depth > MAX_DEPTH:
        raise SourceRejected(f"its folders are nested deeper than {MAX_DEPTH}")
    with os.scandir(folder) as entries:
        sorted_entries = sorted(entries, key=lambda entry: entry.name)
    for entry in sorted_entries:
        name = within + entry.name
        if entry.name in _SKIPPED or entry.name.endswith((".pyc", ".pyo")):
            continue
        if entry.is_symlink():
            raise SourceRejected(
                f"'{printable(name)}' is a link, which a plugin must not contain; replace it by the file"
            )
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), f"{name}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path), name
        else:
            raise SourceRejected(f"'{printable(name)}' is not a regular file")


def unpack_wheel(wheel: Path, target: Path) -> str:
    """Unpack what a wheel puts on the import path and return its digest. Raises `SourceRejected`, OSError."""
    budget = _ExtractionBudget(target)
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            if len(members) > 2 * MAX_FILES:
                raise SourceRejected(f"it has more than {MAX_FILES} files")
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise SourceRejected(f"it is larger than {MAX_BYTES // 2**20} MB")
            for member in members:
                _take_member(archive, member, budget)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise SourceRejected(f"{wheel.name} is not a readable wheel: {error}") from None
    return digest


def _take_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _ExtractionBudget) -> None:
    # The name as in the file: ZipInfo.filename ends at a NUL.
    name = member.orig_filename
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise SourceRejected(f"'{printable(name)}' is a link, which a plugin must not contain")
    if name.endswith("/"):
        _parts(name[:-1])
        return
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise SourceRejected(f"'{printable(name)}' is not a regular file")
    top = _parts(name)[0]
    if top.endswith(".data"):
        raise SourceRejected(
            f"'{printable(name)}' installs outside of the package (scripts, headers), which a plugin must not do"
        )
    if name.endswith((".pyc", ".pyo", ".pth")):
        raise SourceRejected(f"'{printable(name)}' is not allowed in a plugin; leave it out of the wheel")
    with archive.open(member) as content:
        budget.write(name, content)  # type: ignore[arg-type]  # IO[bytes], which reads just so


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a relative path that stays within the folder. Raises `SourceRejected`."""
    parts = PurePosixPath(name).parts
    is_plain = "/".join(parts) == name and not name.startswith("/") and len(name) < 1000
    if not is_plain or not parts or len(parts) > MAX_DEPTH + 1:
        raise SourceRejected(f"'{printable(name)}' is not a plain path within the plugin folder")
    if any(part == ".." or _ODD_NAME.search(part) for part in parts):
        raise SourceRejected(f"'{printable(name)}' is not a plain path within the plugin folder")
    return parts


def printable(name: str) -> str:
    """Return a foreign name without anything that a terminal interprets."""
    return (name if name.isprintable() else ascii(name)[1:-1])[:200]
