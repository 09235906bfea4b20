"""A run ends with its response, wherever that was ended, and with nothing else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from clawgate.agents.session import ended_elsewhere
from clawgate.agents.session.ended_elsewhere import stopping_with_response
from clawgate.errors import InvalidRequest, StoreUnavailable


class Shared:
    """A database that others write to. ``status`` is that of the response."""

    def __init__(self, *, is_shared: bool = True) -> None:
        self.shared = object() if is_shared else None
        self.status: str | None = "in_progress"
        self.looks = 0
        self.looked = asyncio.Event()

    async def response(self, caller: str, run: str) -> Any:
        self.looks += 1
        if self.looks == 1:
            raise StoreUnavailable("for a moment")
        if self.looks == 3:
            self.looked.set()
        return SimpleNamespace(status=self.status) if self.status is not None else None


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_elsewhere, "LOOK_SECONDS", 0)


async def run(store: Any, work: Any) -> None:
    async with stopping_with_response(store, "ann", "r"):
        await work


@pytest.mark.parametrize("status", ["cancelled", None])
async def test_a_run_whose_response_was_ended_is_stopped(status: str | None) -> None:
    store = Shared()
    task = asyncio.get_running_loop().create_task(run(store, asyncio.Event().wait()))
    await store.looked.wait()
    assert not task.done()
    store.status = status
    with pytest.raises(InvalidRequest, match="stopped by its caller"):
        await task


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_run_that_is_cancelled_here_is_cancelled(is_shared: bool) -> None:
    store = Shared(is_shared=is_shared)
    task = asyncio.get_running_loop().create_task(run(store, asyncio.Event().wait()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert (store.looks > 0) is is_shared
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_run_that_ends_is_not_looked_after() -> None:
    store = Shared()
    await run(store, asyncio.sleep(0))
    looks = store.looks
    for _ in range(5):
        await asyncio.sleep(0)
    assert store.looks == looks
