"""Opens the state of agents for a command, whether or not a gateway runs.

Law: a command makes no database, and moves none away: where there is none yet, there is nothing to show.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.errors import GatewayError
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.state.store import Store

T = TypeVar("T")


def with_store(config: ConfigFile, work: Callable[[Store], Awaitable[T]], *, absent: T) -> T:
    """Return what ``work`` returns; ``absent`` where there is no database yet. An unusable one ends the command."""
    from clawgate.settings.openclaw.database import database_setting
    from clawgate.state.database import sqlite_path
    from clawgate.state.store import open_store

    try:
        url = database_setting(config).url
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)

    async def run() -> T:
        store = await open_store(url, clock=time.time, may_quarantine=False)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        file = sqlite_path(url)
        return absent if file is not None and not file.exists() else asyncio.run(run())
    except GatewayError as error:
        fail(error.message)
