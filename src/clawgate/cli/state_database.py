"""Opens the database that the config chooses, for a command. What it cannot use ends the command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clawgate.cli.context import LoadedConfig
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.errors import GatewayError
from clawgate.settings.openclaw.database import database_setting
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.state.database import Database
    from clawgate.state.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChosenDatabase:
    """``name`` is safe to show; ``file`` is None where it is no file; ``origin`` is where it was set."""

    url: str = field(repr=False)
    name: str
    file: Path | None
    origin: str


def chosen_database(loaded: LoadedConfig) -> ChosenDatabase:
    from clawgate.state.database import sqlite_path
    from clawgate.state.postgres import name_of

    try:
        setting = database_setting(loaded.file)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    file = sqlite_path(setting.url)
    return ChosenDatabase(setting.url, str(file or name_of(setting.url)), file, setting.origin)


def run_with_database(
    chosen: ChosenDatabase, work: Callable[[Database], Awaitable[T]], *, may_migrate: bool = True
) -> T:
    """Return what ``work`` returns. A file that is unusable is not moved away: that is for the gateway to do."""
    try:
        return asyncio.run(with_database(chosen, work, may_migrate=may_migrate))
    except GatewayError as error:
        fail(error.message)


async def with_database(
    chosen: ChosenDatabase, work: Callable[[Database], Awaitable[T]], *, may_migrate: bool
) -> T:
    """Raises StoreUnavailable."""
    from clawgate.state.database import open_database

    database = await open_database(chosen.url, may_quarantine=False, may_migrate=may_migrate)
    try:
        return await work(database)
    finally:
        await database.close()


def with_store(loaded: LoadedConfig, work: Callable[[Store], Awaitable[T]], *, absent: T) -> T:
    """Return what ``work`` returns, as `read_store` does; a database that cannot be used ends the command."""
    try:
        return read_store(loaded, work, absent=absent)
    except GatewayError as error:
        fail(error.message)


def read_store(loaded: LoadedConfig, work: Callable[[Store], Awaitable[T]], *, absent: T) -> T:
    """Return what ``work`` returns, whether or not a gateway runs; ``absent`` where there is no database yet.

    None is made: there is nothing to show. Raises StoreUnavailable.
    """
    chosen = chosen_database(loaded)
    if chosen.file is not None and not chosen.file.exists():
        return absent
    from clawgate.state.store import Store

    return asyncio.run(
        with_database(chosen, lambda database: work(Store(database, clock=time.time)), may_migrate=True)
    )
