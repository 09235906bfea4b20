"""Locates the database with the state of agents: CLAWGATE_DATABASE_URL, then the config file, then the state folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.own_settings import DATABASE_VARIABLE, SECTION, check_database, own_settings
from clawgate.settings.paths import state_dir
from clawgate.settings.problems import SettingsInvalid

FILE_NAME = "state.db"
_PATH = (*SECTION, "database")


@dataclass(frozen=True, slots=True)
class DatabaseSetting:
    """``url`` is a path or a URL, which may hold a password; ``origin`` is where it was set."""

    url: str = field(repr=False)
    origin: str


def database_setting(file: ConfigFile, state: Path | None = None) -> DatabaseSetting:
    """Return where the database is; ``state`` is the state folder, by default that of the environment.

    Raises `SettingsInvalid` for a value that is no place of a database, or whose variable is not set.
    """
    if value := file.environment.get(DATABASE_VARIABLE):
        origin = file.environment.origin(DATABASE_VARIABLE)
        try:
            return DatabaseSetting(check_database(value), origin)
        except ValueError as error:
            raise SettingsInvalid.at(origin, str(error)) from None
    if (name := file.unset.get(format_key_path(_PATH))) is not None:
        raise SettingsInvalid(
            [Diagnostic(_PATH, f"{name} is not set", fix="set it, or write the value itself")]
        )
    if (configured := own_settings(file.config).database) is not None:
        return DatabaseSetting(configured, format_key_path(_PATH))
    return DatabaseSetting(str(default_database(state or state_dir(file.environment))), "the default")


def default_database(state: Path) -> Path:
    return state / "clawgate" / FILE_NAME
