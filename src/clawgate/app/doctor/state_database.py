"""Looks at the database of agents, as their first run would, and changes nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clawgate.errors import StoreUnavailable
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.database import database_setting
from clawgate.settings.openclaw.gateway import agent_paths_of
from clawgate.settings.problems import SettingsInvalid


def database_problem(file: ConfigFile, state: Path) -> str | None:
    """Return why runs of agents would fail at it; None where agents are off, or where it is still to be created."""
    if not agent_paths_of(file):
        return None
    try:
        url = database_setting(file, state).url
    except SettingsInvalid as error:
        return str(error)
    from clawgate.state.database import sqlite_path  # SQLAlchemy comes with it

    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    return asyncio.run(_problem(url))


async def _problem(url: str) -> str | None:
    from clawgate.state.database import open_database
    from clawgate.state.migrate import is_usable, version_of

    try:
        database = await open_database(url, may_quarantine=False, may_migrate=False)
        try:
            is_usable(await database.read(version_of), database.name)
        finally:
            await database.close()
    except StoreUnavailable as error:
        return error.message
    return None


def database_files(file: ConfigFile, state: Path) -> list[Path]:
    """Return the files of a SQLite database, wherever the config places it."""
    try:
        url = database_setting(file, state).url
    except SettingsInvalid:
        return []
    if not agent_paths_of(file) or "://" in url:
        return []
    path = Path(url).expanduser()
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
