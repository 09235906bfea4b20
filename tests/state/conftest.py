"""One store for each test, on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawgate.state.store import Store, open_store
from tests.state.runs import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state_url(tmp_path: Path) -> str | Path:
    return tmp_path / "clawgate" / "state.db"


@pytest.fixture
async def store(state_url: str | Path, clock: Clock) -> AsyncIterator[Store]:
    opened = await open_store(state_url, clock=clock)
    yield opened
    await opened.close()
