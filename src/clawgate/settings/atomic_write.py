"""How does a file change without ever being anything but the old or the new version, whatever fails on the way?

A sibling is written and synced, the old version goes to the backups, then one rename does it. It knows bytes and
files, nothing of what stands in them. Known limit: a program that does not take the lock and writes between the last
look at the file and the rename loses its write (it is then in no backup); that is a matter of microseconds.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from clawgate.settings.private_folder import make_private_folder
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import read_regular

BACKUPS = (".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4")
"""Endings of the last versions, the newest first; OpenClaw's own names."""

LOCK_SECONDS = 15.0
_LOCK_PAUSE = 0.01
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})
_SIBLING = "new-"
_CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})
_WAYS_OUT = {
    errno.ENOSPC: "; make room on the disk",
    errno.EDQUOT: "; make room within the quota",
    errno.EFBIG: "; a limit on the size of files is in force (ulimit -f)",
    errno.EACCES: "; look who may write the file and its folder",
    errno.EPERM: "; look who may write the file and its folder",
    errno.EROFS: "; its file system is mounted read-only",
}


class WriteFailed(Exception):
    """Nothing was written: the old version stands. The text is for people: the file, the cause, the way out."""


class ConcurrentModification(WriteFailed):
    """Somebody else wrote the file after it was read."""


def resolve_symlink(path: Path) -> Path:
    """The file itself: ``path``, or what it links to. Raises `WriteFailed` for a link that leads nowhere."""
    try:
        if not path.is_symlink():
            return path.absolute()
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = "is a link that leads nowhere; mend or remove the link"
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ELOOP):
            reason = f"cannot be looked at: {error.strerror}"
        raise WriteFailed(f"{path} {reason}") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep the other writers of ``path`` waiting, from before it is read until it is written.

    The lock is a file beside it that stays there, empty; the lock itself ends with the process that holds it.
    Makes the folder (0700) if there is none. Raises `WriteFailed`, also after `LOCK_SECONDS` of waiting.
    """
    target = resolve_symlink(path)
    with _said(target):
        make_private_folder(target.parent)
        lock = os.open(_beside(target, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with _said(target):
            if _take(lock, target):
                _sweep(target)
        yield
    finally:
        with contextlib.suppress(OSError):  # the lock ends all the same
            os.close(lock)


def read_optional(path: Path) -> bytes | None:
    """What stands in ``path`` now, None if there is no such file. Raises `WriteFailed` if it cannot be read."""
    try:
        found = read_regular(resolve_symlink(path))
    except SettingsInvalid as error:
        raise WriteFailed(str(error)) from error
    return None if found is None else found[0]


def replace(path: Path, content: bytes, *, seen: bytes | None) -> Path | None:
    """Make ``content`` the new version of ``path``; the name of the backup, if there was an old one.

    ``seen`` is the version that the change was made from, None where there was no file. Call it within `locked`.
    A new file is for its owner alone; an old one keeps its mode, and its owner where the system allows it. Raises
    `ConcurrentModification`, or `WriteFailed` for whatever the system refuses; the old version then stands as it was.
    """
    target = resolve_symlink(path)
    _ask_for_unchanged(target, seen)
    with _said(target), contextlib.ExitStack() as cleanup:
        old = None if seen is None else target.stat()
        if old is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only")
        new = cleanup.enter_context(_sibling(target))
        _fill(new, content, old)
        backup = None
        if seen is not None:
            kept = cleanup.enter_context(_sibling(target))
            _fill(kept, seen, None)
            backup = _keep(kept, target, seen)
        _ask_for_unchanged(target, seen)
        new.replace(target)
        try:
            _sync_folder(target.parent)
        except OSError:
            _undo(target, seen, old)
            raise
        return backup


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{target.name}.{ending}")


def _ask_for_unchanged(target: Path, seen: bytes | None) -> None:
    found = read_optional(target)
    if (found is None) != (seen is None) or (found or b"") != (seen or b""):
        raise ConcurrentModification(
            f"{target} was changed by somebody else in the meantime. Nothing was written: run the command again"
        )


@contextlib.contextmanager
def _said(target: Path) -> Iterator[None]:
    """What the system refuses, in our words."""
    try:
        yield
    except OSError as error:
        way = _WAYS_OUT.get(error.errno or 0, "")
        raise WriteFailed(
            f"{target} cannot be written: {error.strerror or error}{way}. Nothing was changed"
        ) from error


def _take(lock: int, target: Path) -> bool:
    """Whether the lock is ours; False on a file system that knows no locks (the second look still guards)."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise WriteFailed(
                    f"{target} has been held by another writer for {LOCK_SECONDS:g} s. Nothing was changed: "
                    "try again when that one is done"
                ) from None
            time.sleep(_LOCK_PAUSE)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise
        else:
            return True


def _sweep(target: Path) -> None:
    """Remove what writers left behind that were killed: while the lock is ours, nobody else is writing."""
    prefix = _beside(target, _SIBLING).name
    for entry in target.parent.iterdir():
        if entry.name.startswith(prefix):
            entry.unlink(missing_ok=True)


@contextlib.contextmanager
def _sibling(target: Path) -> Iterator[Path]:
    """A name in the same folder, for a file that is gone at the end unless it was renamed."""
    path = _beside(target, _SIBLING + secrets.token_hex(8))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _fill(path: Path, content: bytes, like: os.stat_result | None) -> None:
    """Write and sync a new file, with the mode and owner of ``like``."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        if like is not None:
            mode = stat.S_IMODE(like.st_mode)
            if not _same_owner(file, like):
                mode &= ~stat.S_IRWXG  # what one group might read is not for another
            os.fchmod(file, mode)
        os.fsync(file)
    finally:
        os.close(file)


def _same_owner(file: int, like: os.stat_result) -> bool:
    made = os.fstat(file)
    if (made.st_uid, made.st_gid) == (like.st_uid, like.st_gid):
        return True
    try:
        os.fchown(file, like.st_uid, like.st_gid)
    except OSError:
        return False
    return True


def _keep(kept: Path, target: Path, seen: bytes) -> Path:
    """Make ``kept`` the newest backup; the others move on, the oldest falls off.

    A version that is the newest backup already (a write after it failed) is not kept twice.
    """
    names = [target.with_name(target.name + ending) for ending in BACKUPS]
    if read_optional(names[0]) != seen:
        free = next((index for index, name in enumerate(names) if not name.exists()), len(names) - 1)
        for index in range(free, 0, -1):  # a gap is filled first: it may be of a write that failed half-way
            names[index - 1].replace(names[index])
    kept.replace(names[0])
    return names[0]


def _sync_folder(folder: Path) -> None:
    """Make the renames last. Some file systems cannot, and say so with EINVAL and the like."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(handle)


def _undo(target: Path, seen: bytes | None, old: os.stat_result | None) -> None:
    """Put the old version back: it may be that the new one would not outlive a power cut."""
    try:
        if seen is None:
            target.unlink()
            return
        with _sibling(target) as again:
            _fill(again, seen, old)
            again.replace(target)
    except OSError as error:
        raise WriteFailed(
            f"{target} was written, but its folder cannot be synced ({error.strerror or error}): "
            "the new version stands, and may not outlive a power cut"
        ) from error
