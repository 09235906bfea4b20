"""Notices that another gateway of the same database has ended a response whose run is under way here.

A caller cancels or deletes a response at any of them; each run in the background looks whether that was done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from clawgate.errors import GatewayError, InvalidRequest
from clawgate.state.responses import IN_PROGRESS
from clawgate.state.store import Store

LOOK_SECONDS = 2.0
STOPPED = "the run was stopped by its caller before it was complete"


@contextlib.asynccontextmanager
async def stopping_with_response(store: Store, caller: str, run: str) -> AsyncIterator[None]:
    """Do what is within until the response ends elsewhere, then cancel it and raise `InvalidRequest`."""
    if store.shared is None:
        yield
        return
    task = asyncio.current_task()
    assert task is not None, "a run is a task"
    look = asyncio.get_running_loop().create_task(_ended(store, caller, run))

    def stop(look: asyncio.Task[None]) -> None:
        if not look.cancelled():
            task.cancel()

    look.add_done_callback(stop)
    try:
        yield
    except asyncio.CancelledError:
        if not look.done() or task.uncancel():
            raise
        raise InvalidRequest(STOPPED) from None
    finally:
        look.remove_done_callback(stop)
        look.cancel()


async def _ended(store: Store, caller: str, run: str) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(GatewayError):  # the next look may find the database again
            found = await store.response(caller, run)
            if found is None or found.status not in IN_PROGRESS:
                return
