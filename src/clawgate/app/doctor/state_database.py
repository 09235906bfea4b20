"""Looks at the database of agents, as their first run would, and changes nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clawgate.errors import StoreUnavailable
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.database import database_setting
from clawgate.settings.openclaw.gateway import agent_paths_of
from clawgate.settings.problems import SettingsInvalid


def database_facts(file: ConfigFile, state: Path) -> dict[str, str]:
    """Return what is wrong with it, by the names of `Facts`: nothing where agents are off, or it is yet to be made."""
    if not agent_paths_of(file):
        return {}
    try:
        url = database_setting(file, state).url
    except SettingsInvalid as error:
        return {"database_problem": str(error)}
    from clawgate.state.database import sqlite_path  # SQLAlchemy comes with it

    path = sqlite_path(url)
    if path is not None and not path.exists():
        return {}
    return asyncio.run(_facts(url))


async def _facts(url: str) -> dict[str, str]:
    from clawgate.state.database import open_database
    from clawgate.state.migrate import HEAD, is_usable, version_of

    try:
        database = await open_database(url, may_quarantine=False, may_migrate=False)
        try:
            version = await database.read(version_of)
            if not is_usable(version, database.name):
                old = f"its schema is {version or 'none'}, and this program needs {HEAD}"
                return {"database_note": f"state database {database.name}: {old}"}
        finally:
            await database.close()
    except StoreUnavailable as error:
        return {"database_problem": error.message}
    return {}


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
