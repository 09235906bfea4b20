"""Where are OpenClaw's config file and state, and where is our own part of it? As OpenClaw decides, by environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.private_folder import make_private_folder
from clawgate.settings.problems import SettingsInvalid


def config_path(environment: Mapping[str, str], flag: str | None = None) -> tuple[Path, bool]:
    """OpenClaw's config file, and whether somebody named it (a default one may be missing).

    `--config`, then OPENCLAW_CONFIG_PATH, then openclaw.json in the state directory.
    """
    if named := flag or _given(environment, "OPENCLAW_CONFIG_PATH"):
        return _expanded(named, environment), True
    return state_dir(environment) / "openclaw.json", False


def state_dir(environment: Mapping[str, str]) -> Path:
    """OPENCLAW_STATE_DIR, or .openclaw in OPENCLAW_HOME or in the home folder."""
    if state := _given(environment, "OPENCLAW_STATE_DIR"):
        return _expanded(state, environment)
    return _expanded(_given(environment, "OPENCLAW_HOME") or "~", environment) / ".openclaw"


def own_folder(environment: Mapping[str, str]) -> Path:
    """`<state dir>/clawgate`, for our pid, lock and log files; made with mode 0700, and brought back to it.

    Raises `SettingsInvalid` if it cannot be, or is somebody else's.
    """
    folder = state_dir(environment) / "clawgate"
    try:
        make_private_folder(folder)
        facts = folder.stat()
        if facts.st_uid != os.geteuid():
            raise SettingsInvalid([Diagnostic((), "it belongs to another user", location=str(folder))])
        if facts.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        message = f"it cannot be made or used: {error.strerror}"
        raise SettingsInvalid([Diagnostic((), message, location=str(folder))]) from error
    except ValueError:
        raise SettingsInvalid([Diagnostic((), "its name holds a NUL", location="state folder")]) from None
    return folder


def _given(environment: Mapping[str, str], name: str) -> str | None:
    """A variable's value; OpenClaw takes a blank one, "undefined" and "null" for unset."""
    value = environment.get(name, "").strip()
    return value if value not in {"", "undefined", "null"} else None


def _expanded(text: str, environment: Mapping[str, str]) -> Path:
    path = Path(text)
    home = environment.get("HOME")
    if home and path.parts[:1] == ("~",):
        return Path(home, *path.parts[1:])
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise SettingsInvalid(
            [Diagnostic((), f"it cannot be located: {error}", location="config file")]
        ) from error
