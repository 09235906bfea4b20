"""A state folder whose database has what runs left, and the commands that read it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from clawgate.state.records import RunRecord, StoredSession
from clawgate.state.store import open_store
from tests.cli.catalogs import alone, config_file
from tests.state.runs import Clock


class StateHome:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        alone(folder, monkeypatch)
        monkeypatch.delenv("CLAWGATE_DATABASE_URL", raising=False)
        monkeypatch.setenv("TZ", "UTC")
        self.folder = folder
        state = folder / ".openclaw"
        state.mkdir(mode=0o700)
        config_file(state)
        self.database = state / "clawgate" / "state.db"

    def store(self, *records: RunRecord) -> None:
        async def write() -> None:
            store = await open_store(self.database, clock=Clock())
            try:
                for record in records:
                    await store.commit(record)
            finally:
                await store.close()

        asyncio.run(write())

    def session(self, key: str, caller: str = "ann") -> StoredSession | None:
        async def read() -> StoredSession | None:
            store = await open_store(self.database, clock=Clock())
            try:
                return await store.session(caller, key)
            finally:
                await store.close()

        return asyncio.run(read())

    def run(self, *arguments: str) -> Result:
        found = CliRunner().invoke(clawgate, arguments)
        assert "Traceback" not in found.output
        return found
