"""Locates OpenClaw's config file and state folder, and clawgate's folder in it, as OpenClaw does by environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.private_folder import make_private_folder
from clawgate.settings.problems import SettingsInvalid

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "OPENCLAW_CONFIG_PATH": "The config file; openclaw.json in the state folder unless it is set.",
        "OPENCLAW_STATE_DIR": "The state folder; .openclaw in the home folder unless it is set.",
        "OPENCLAW_HOME": "The folder to use as home folder.",
    }
)
"""The environment variables that locate the files."""


def config_path(environment: Mapping[str, str], flag: str | None = None) -> tuple[Path, bool]:
    """Return the path of OpenClaw's config file, and whether it was named (a default one may be missing).

    `--config`, then OPENCLAW_CONFIG_PATH, then openclaw.json in the state folder.
    """
    if named := flag or _variable(environment, "OPENCLAW_CONFIG_PATH"):
        return _expand(named, environment), True
    return state_dir(environment) / "openclaw.json", False


def state_dir(environment: Mapping[str, str]) -> Path:
    """Return OPENCLAW_STATE_DIR, or .openclaw in OPENCLAW_HOME or in the home folder."""
    if state := _variable(environment, "OPENCLAW_STATE_DIR"):
        return _expand(state, environment)
    return _expand(_variable(environment, "OPENCLAW_HOME") or "~", environment) / ".openclaw"


def own_folder(environment: Mapping[str, str]) -> Path:
    """Return `<state folder>/clawgate`, for our pid, lock and log files; created with mode 0700, and set back to it.

    Raises `SettingsInvalid` if it cannot be created or belongs to another user.
    """
    folder = state_dir(environment) / "clawgate"
    try:
        make_private_folder(folder)
        status = folder.stat()
        if status.st_uid != os.geteuid():
            raise SettingsInvalid.at(
                folder, "it belongs to another user", f"run: chown {os.geteuid()} {folder}"
            )
        if status.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SettingsInvalid.at(
            folder, f"it cannot be created or used: {error.strerror}", _ANOTHER
        ) from error
    except ValueError:
        raise SettingsInvalid.at("the state folder", "its name contains a NUL", _ANOTHER) from None
    return folder


def folder_problem(folder: Path) -> Diagnostic | None:
    """Return why `own_folder` cannot make ``folder`` or write to it, None if it can. Changes nothing.

    It is at the first of the folder and its parents that exists.
    """
    for place in (folder, *folder.parents):
        if os.path.isdir(place):  # noqa: PTH112  # Path.is_dir raises where a parent may not be searched
            if os.access(place, os.W_OK | os.X_OK):
                return None
            is_read_only = os.statvfs(place).f_flag & os.ST_RDONLY
            reason = "its file system is read-only" if is_read_only else f"user {os.geteuid()} may not write"
            return Diagnostic((), f"{_UNUSABLE}: {reason}", fix=_ANOTHER, location=str(place))
        if os.path.lexists(place):
            fix = f"move it away, or {_ANOTHER}"
            return Diagnostic((), f"{_UNUSABLE}: this is no folder", fix=fix, location=str(place))
    return None


_UNUSABLE = "the state folder cannot be made or written"
_ANOTHER = "set OPENCLAW_STATE_DIR to a folder of yours"


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    """A variable's value; OpenClaw takes a blank one, "undefined" and "null" for unset."""
    value = environment.get(name, "").strip()
    return value if value not in {"", "undefined", "null"} else None


def _expand(text: str, environment: Mapping[str, str]) -> Path:
    path = Path(text)
    home = environment.get("HOME")
    if home and path.parts[:1] == ("~",):
        return Path(home, *path.parts[1:])
    if home == "" and path.parts[:1] == ("~",):
        raise SettingsInvalid.at(
            "HOME", "it is empty", "set it to your home folder, or set OPENCLAW_STATE_DIR"
        )
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise SettingsInvalid.at(text, f"it cannot be located: {error}", "give a path without ~") from error
