"""Commands use the database that the gateway uses, also while it has it open; none that is unusable is moved away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clawgate.cli.context import load_config
from clawgate.cli.errors import CommandFailed
from clawgate.cli.state_database import chosen_database, run_with_database, with_store
from clawgate.state.database import Database
from clawgate.state.store import Store, open_store
from tests.cli.stored_runs import StateHome
from tests.state.runs import Clock, run


def test_what_is_shown_of_a_database_has_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", "postgresql://ann:s3cret-canary@h:5433/d")
    chosen = chosen_database(load_config(None))
    assert (chosen.name, chosen.file) == ("postgresql://h:5433/d", None)
    assert "canary" not in repr(chosen)


def test_an_unusable_database_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("CLAWGATE_DATABASE_URL", raising=False)
    (tmp_path / "clawgate").mkdir()
    (tmp_path / "clawgate" / "state.db").write_text("dear diary")

    async def work(database: Database) -> None:
        raise AssertionError("it must not be opened")

    with pytest.raises(CommandFailed) as caught:
        run_with_database(chosen_database(load_config(None)), work)
    assert caught.value.code == 1


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateHome:
    return StateHome(tmp_path, monkeypatch)


async def count(store: Store) -> int:
    return len(await store.sessions())


def test_without_a_database_there_is_nothing_and_none_is_made(home: StateHome) -> None:
    assert with_store(load_config(None), count, absent=-1) == -1
    assert not home.database.exists()


def test_the_database_of_the_environment_is_used(
    home: StateHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.store(run())
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", str(tmp_path / "other.db"))
    assert with_store(load_config(None), count, absent=-1) == -1
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", f"sqlite:///{home.database}")
    assert with_store(load_config(None), count, absent=-1) == 1


def test_a_gateway_that_has_it_open_does_not_matter(home: StateHome) -> None:
    home.store(run())

    async def while_open() -> int:
        store = await open_store(home.database, clock=Clock())
        try:
            await store.commit(run("2", session="t"))
            return await asyncio.to_thread(with_store, load_config(None), count, absent=-1)
        finally:
            await store.close()

    assert asyncio.run(while_open()) == 2
