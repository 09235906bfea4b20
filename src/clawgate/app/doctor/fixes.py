"""Applies the fixes of `clawgate doctor --fix`: one change each, which is harmless to repeat."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from clawgate.app.doctor.checks import Fix
from clawgate.app.gateway_token import with_mode, with_token
from clawgate.settings.openclaw.update import NOT_WRITTEN, update


class CannotFix(Exception):
    """The fix failed, and nothing was changed. The message is the reason."""


def apply_fix(fix: Fix, environment: Mapping[str, str]) -> list[str]:
    """Apply a fix and return lines on what was done. A new secret is written to the config file and never shown."""
    path = Path(fix.path)
    try:
        match fix.kind:
            case "close_to_others":
                return [_close(path, fix.mode)]
            case "remove":
                path.unlink(missing_ok=True)
                return [f"Removed {path}"]
            case "make_token":
                lines = _write(path, environment, with_token)
                return [
                    *lines,
                    "  clients send it as 'Authorization: Bearer'; to print it: clawgate gateway token",
                ]
            case "set_mode":
                return _write(path, environment, with_mode)
    except NOT_WRITTEN as error:
        raise CannotFix(str(error)) from error
    except OSError as error:
        raise CannotFix(error.strerror or str(error)) from error


def _write(path: Path, environment: Mapping[str, str], change: Callable[[str], str]) -> list[str]:
    result = update(path, environment, change)
    if not result.changed:
        return [f"No change of {path}"]
    backup = [f"  Backup: {result.backup}"] if result.backup else []
    return [f"{'Wrote' if result.created else 'Updated'} config: {path}", *backup]


def _close(path: Path, mode: int) -> str:
    """Set the mode, but not of a link, whose target would change, nor of a file of another user."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    return f"Set the mode of {path} to {mode:04o}"
