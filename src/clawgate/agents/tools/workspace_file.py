"""Reads a file of an agent's workspace, and no other: no step of its path may be a link, or lead up.

The path is walked from one open folder to the next: what a step is cannot change meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def read_workspace_file(workspace: Path, path: str, most: int) -> bytes:
    """Return the bytes of a regular file. Raises ValueError, with the reason for the model."""
    steps = PurePosixPath(path.removeprefix("file://"))
    if steps.is_absolute():
        try:
            steps = steps.relative_to(workspace)
        except ValueError:
            raise ValueError("it is not in the agent's workspace") from None
    if not steps.parts or ".." in steps.parts or "\0" in path:
        raise ValueError("it must be the path of a file in the agent's workspace, without '..'")
    with contextlib.ExitStack() as opened:

        def step(name: str | Path, flags: int, folder: int | None = None) -> int:
            fd = os.open(name, flags, dir_fd=folder)
            opened.callback(os.close, fd)
            return fd

        try:
            fd = step(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for name in steps.parts[:-1]:
                fd = step(name, _FOLDER, fd)
            return _content(step(steps.parts[-1], _FILE, fd), most)
        except OSError as error:
            reason = "a link is not followed" if error.errno == errno.ELOOP else error.strerror
            raise ValueError(f"it cannot be read: {reason}") from None


def _content(fd: int, most: int) -> bytes:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    if found.st_size > most:
        raise ValueError(f"it has {found.st_size} bytes; at most {most} are read")
    with open(fd, "rb", closefd=False) as file:  # a descriptor
        return file.read(most)
