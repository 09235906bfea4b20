"""Passes the request to restart a plugin's services from a command to the gateway: a file in the plugin's folder.

The file names the instance that it is meant for, so a gateway that starts later does not act on it, and it exists until
that instance has restarted the services or the command waits no longer.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

_FILE_NAME = "restart"


def request_restart(folder: Path, instance: str) -> int:
    """Return the request for `withdraw_restart`. Raises OSError."""
    file = folder / _FILE_NAME
    file.touch(mode=0o600)
    file.write_text(instance, "utf-8")
    return file.stat().st_mtime_ns


def withdraw_restart(folder: Path, request: int) -> None:
    """Remove a request that is not done, unless another command has requested a restart since."""
    with contextlib.suppress(OSError):
        if (folder / _FILE_NAME).stat().st_mtime_ns == request:
            clear_restart(folder)


def restart_requested(folder: Path, instance: str) -> bool:
    """Whether a restart by ``instance`` is requested and not done yet."""
    try:
        return (folder / _FILE_NAME).read_text("utf-8") == instance
    except (OSError, UnicodeDecodeError):
        return False


def clear_restart(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / _FILE_NAME).unlink()
