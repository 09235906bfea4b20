"""Replaces a file atomically, with a lock and backups: whatever fails, it is the old or the new version.

A sibling is written and synced, the old version goes to the backups, then one rename replaces it. Must not look at the
content. Known limit: a program that does not take the lock and writes between the last comparison and the rename,
within microseconds, loses its write (no backup has it).
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
FULL_DISK = {errno.ENOSPC: "free space on the disk", errno.EDQUOT: "free space within the quota"}
"""What to do, by the error."""
_FIXES = FULL_DISK | {
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "check the owner and mode of the file and its folder",
    errno.EPERM: "check the owner and mode of the file and its folder",
    errno.EBUSY: "it is mounted on its own: mount the folder that it is in, or change it outside of the container",
    errno.EROFS: "remount its file system, which is read-only",
}


class WriteFailed(Exception):
    """Nothing was written, the file is the old version. The message names the file, the cause and the fix."""


class ConcurrentModification(WriteFailed):
    """Another program wrote the file after it was read."""


def resolve_symlink(path: Path) -> Path:
    """Return the file itself: ``path``, or what it links to. Raises `WriteFailed` for a link that leads nowhere."""
    try:
        if not path.is_symlink():
            return path.absolute()
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = "is a link that leads nowhere; repair or remove the link"
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ELOOP):
            reason = f"cannot be resolved: {error.strerror}"
        raise WriteFailed(f"{path}: {reason}") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Exclude other writers of ``path`` from before it is read until it is written.

    The lock is an empty file beside it that stays; it is released when its process ends. Makes the folder (0700) if
    there is none. Raises `WriteFailed`, also after `LOCK_SECONDS` of waiting.
    """
    target = resolve_symlink(path)
    with _write_errors(target):
        make_private_folder(target.parent)
        lock = os.open(_beside(target, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with _write_errors(target):
            if _acquire(lock, target):
                _remove_leftovers(target)
        yield
    finally:
        with contextlib.suppress(OSError):  # closed or not, it is released at the end of the process
            os.close(lock)


def read_optional(path: Path) -> bytes | None:
    """Return the bytes of ``path``, None if there is no such file. Raises `WriteFailed` if it cannot be read."""
    try:
        found = read_regular(resolve_symlink(path))
    except SettingsInvalid as error:
        raise WriteFailed(str(error)) from error
    return None if found is None else found[0]


def replace(path: Path, content: bytes, *, old: bytes | None) -> Path | None:
    """Make ``content`` the new version of ``path``. Return the backup, None if there was no old version.

    ``old`` is the version that the change was made from, None where there was no file. Call it within `locked`. A new
    file is for its owner alone; an old one keeps its mode, and its owner where the system allows it. Raises
    `ConcurrentModification`, or `WriteFailed` for whatever the system refuses; the file is the old version then.
    """
    target = resolve_symlink(path)
    _check_unchanged(target, old)
    with _write_errors(target), contextlib.ExitStack() as cleanup:
        status = None if old is None else target.stat()
        if status is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only")
        new = cleanup.enter_context(_sibling(target))
        _write_new(new, content, status)
        backup = None
        if old is not None:
            kept = cleanup.enter_context(_sibling(target))
            _write_new(kept, old, None)
            backup = _rotate_backups(kept, target, old)
        _check_unchanged(target, old)
        new.replace(target)
        try:
            _sync_folder(target.parent)
        except OSError:
            _restore(target, old, status)
            raise
        return backup


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{target.name}.{ending}")


def _check_unchanged(target: Path, old: bytes | None) -> None:
    if read_optional(target) != old:
        raise ConcurrentModification(
            f"{target}: another program changed it in the meantime; nothing was written, run the command again"
        )


@contextlib.contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    """Raise what the system refuses as `WriteFailed`."""
    try:
        yield
    except OSError as error:
        fix = _FIXES.get(error.errno or 0)
        message = f"{target}: cannot be written: {error.strerror or error}; nothing was changed"
        raise WriteFailed(f"{message}, {fix}" if fix else message) from error


def _acquire(lock: int, target: Path) -> bool:
    """Take the lock. Return False on a file system without locks, where comparing before the rename still guards."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise WriteFailed(
                    f"{target}: locked by another writer for {LOCK_SECONDS:g} s; nothing was changed, "
                    "run the command again when that writer has ended"
                ) from None
            time.sleep(_LOCK_PAUSE)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise
        else:
            return True


def _remove_leftovers(target: Path) -> None:
    """Remove the files of writers that were killed: while the lock is held, no other one writes."""
    prefix = _beside(target, _SIBLING).name
    for entry in target.parent.iterdir():
        if entry.name.startswith(prefix):
            entry.unlink(missing_ok=True)


@contextlib.contextmanager
def _sibling(target: Path) -> Iterator[Path]:
    """Yield a name in the same folder, for a file that is removed at the end unless it was renamed."""
    path = _beside(target, _SIBLING + secrets.token_hex(8))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes, like: os.stat_result | None) -> None:
    """Write and sync a new file, with the mode and owner of ``like``."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        if like is not None:
            mode = stat.S_IMODE(like.st_mode)
            if not _same_owner(file, like):
                mode &= ~stat.S_IRWXG  # the group would be another one
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


def _rotate_backups(kept: Path, target: Path, old: bytes) -> Path:
    """Make ``kept`` the newest backup; the others move up by one, the oldest is replaced.

    A version that is the newest backup already (a write after it failed) is not kept twice.
    """
    names = [target.with_name(target.name + ending) for ending in BACKUPS]
    if read_optional(names[0]) != old:
        free = next((index for index, name in enumerate(names) if not name.exists()), len(names) - 1)
        for index in range(free, 0, -1):  # a gap is filled first: it may be of a write that failed half-way
            names[index - 1].replace(names[index])
    kept.replace(names[0])
    return names[0]


def _sync_folder(folder: Path) -> None:
    """Make the renames durable. File systems that cannot report EINVAL and the like."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(handle)


def _restore(target: Path, old: bytes | None, status: os.stat_result | None) -> None:
    """Put the old version back: the new one might not survive a power cut."""
    try:
        if old is None:
            target.unlink()
            return
        with _sibling(target) as again:
            _write_new(again, old, status)
            again.replace(target)
    except OSError as error:
        raise WriteFailed(
            f"{target}: written, but its folder cannot be synced ({error.strerror or error}); "
            "the new version is in place and may not survive a power cut"
        ) from error
