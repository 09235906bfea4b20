"""Commands read the database that the gateway uses, also while it has it open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clawgate.cli.context import load_config
from clawgate.cli.errors import CommandFailed
from clawgate.cli.state_store import with_store
from clawgate.state.store import Store, open_store
from tests.cli.stored_runs import StateHome
from tests.state.runs import Clock, run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateHome:
    return StateHome(tmp_path, monkeypatch)


async def count(store: Store) -> int:
    return len(await store.sessions())


def test_without_a_database_there_is_nothing_and_none_is_made(home: StateHome) -> None:
    assert with_store(load_config(None).file, count, absent=-1) == -1
    assert not home.database.exists()


def test_the_database_of_the_environment_is_used(
    home: StateHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.store(run())
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", str(tmp_path / "other.db"))
    assert with_store(load_config(None).file, count, absent=-1) == -1
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", f"sqlite:///{home.database}")
    assert with_store(load_config(None).file, count, absent=-1) == 1


def test_a_gateway_that_has_it_open_does_not_matter(home: StateHome) -> None:
    home.store(run())

    async def while_open() -> int:
        store = await open_store(home.database, clock=Clock())
        try:
            await store.commit(run("2", session="t"))
            return await asyncio.to_thread(with_store, load_config(None).file, count, absent=-1)
        finally:
            await store.close()

    assert asyncio.run(while_open()) == 2


def test_a_damaged_database_ends_the_command_and_stays_where_it_is(home: StateHome) -> None:
    home.store(run())
    content = bytearray(home.database.read_bytes())
    content[:16] = b"x" * 16
    home.database.write_bytes(content)
    with pytest.raises(CommandFailed) as failed:
        with_store(load_config(None).file, count, absent=-1)
    assert "unusable" in failed.value.message and home.database.exists()
