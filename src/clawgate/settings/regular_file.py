"""Reads a regular file of bounded size, and decides who besides its owner may read or change a file.

Must not wait: a pipe in the place of a file is refused, not read. Messages hold no content. Each file that holds
credentials (tokens, variables, TLS keys) is held against `exposure`; there is no second rule.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Collection
from pathlib import Path

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath
from clawgate.settings.problems import SettingsInvalid

MAX_BYTES = 2 * 1024 * 1024
"""A hundred times a large config; much more than this would take seconds to read."""

ROOT = 0
"""The user who can change every file anyhow."""

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_regular(path: Path) -> tuple[bytes, os.stat_result] | None:
    """Return the bytes and the status of a regular file, None where there is none.

    Raises `SettingsInvalid` for everything else that may be in its place.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(path, "it is no regular file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingsInvalid.at(path, "it is a link to a file that does not exist") from None
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    except ValueError:
        raise _unreadable(path, "its name holds a NUL") from None
    if len(data) > MAX_BYTES:
        raise _unreadable(path, f"it is larger than {MAX_BYTES // 1024 // 1024} MB")
    return data, status


def _unreadable(path: Path, reason: str | None) -> SettingsInvalid:
    return SettingsInvalid.at(path, f"it cannot be read: {reason}")


def foreign_writer(status: os.stat_result, trusted: Collection[int] = ()) -> str | None:
    """Return who else can change a file or folder, as the end of a sentence; None if only its owner can.

    The owner has to be this process's user, root, or one of ``trusted``. In a folder with the sticky bit, as /tmp,
    others can add files but not replace ours.
    """
    if status.st_uid not in {os.geteuid(), ROOT, *trusted}:
        return f"it belongs to another user (uid {status.st_uid}), who can change it"
    if status.st_mode & _OTHERS_MAY_WRITE and not status.st_mode & stat.S_ISVTX:
        return f"other users can change it (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def exposure(path: Path, status: os.stat_result, key: KeyPath = ()) -> Diagnostic | None:
    """Return why a file that holds credentials must not be used, None if only its owner has access to it.

    ``key`` is the setting that names the file. A mounted secret passes, and `access_warnings` warns about it.
    """
    if not status.st_mode & _OTHERS or is_mounted_secret(path, status):
        return None
    message = f"other users have access to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return Diagnostic(key, message, fix=f"run: {closing_command(path, status)}", location=str(path))


def is_mounted_secret(path: Path, status: os.stat_result) -> bool:
    """Whether others can at most read a file and its mode cannot be changed: a secret of Docker or Kubernetes.

    Those have mode 0444 or 0440, with root as owner, on a file system that is mounted read-only; by
    Kubernetes's ``fsGroup``, the group is the program's and the owner may be another.
    """
    is_for_us = status.st_uid in (os.geteuid(), ROOT) or status.st_gid in (os.getegid(), *os.getgroups())
    may_be_read_only = is_for_us and not status.st_mode & _OTHERS_MAY_WRITE
    return may_be_read_only and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def access_warnings(*paths: Path, secret_files: Collection[Path] = ()) -> list[Diagnostic]:
    """Return a warning for each file or folder that another user can change, or read if it is a secret file.

    One that is not there is passed over.
    """
    found = []
    for path in dict.fromkeys((*paths, *secret_files)):
        try:
            status = path.stat()
        except (OSError, ValueError):
            continue
        reason = foreign_writer(status)
        if reason is None and path in secret_files and status.st_mode & _OTHERS_MAY_READ:
            reason = f"other users can read it (mode {stat.S_IMODE(status.st_mode):04o})"
        if reason:
            fix = f"run: {closing_command(path, status)}"
            if is_mounted_secret(path, status):
                fix = "its mount is read-only: mount it with mode 0400, and this program's user as owner"
            found.append(Diagnostic((), reason, Severity.WARNING, fix, location=str(path)))
    return found


def closing_command(path: Path, status: os.stat_result) -> str:
    """Return the command that leaves a file or folder to this process's user alone."""
    name = shlex.quote(str(path))
    own = f"chown {os.geteuid()} {name} && " if status.st_uid != os.geteuid() else ""
    return f"{own}chmod {'700' if stat.S_ISDIR(status.st_mode) else '600'} {name}"
