from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import pytest

from clawgate.errors import SessionBusy, SessionConflict
from clawgate.state.locks import lock_number
from clawgate.state.postgres_locks import PostgresLocks
from clawgate.state.records import Begun, Running
from clawgate.state.store import Store, open_store
from tests.e2e.stand import until
from tests.state.postgres_server import PostgresServer
from tests.state.runs import Clock, run

END_LOCKS = """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database =
    (SELECT oid FROM pg_database WHERE datname = '{}')"""


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.clean_database()


@pytest.fixture
async def pair(url: str) -> AsyncIterator[tuple[Store, Store]]:
    stores = [await open_store(url, clock=Clock()) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def is_free(store: Store) -> bool:
    try:
        async with store.locks.hold("ann", "s", 0.3):
            return True
    except SessionBusy:
        return False


async def test_one_gateway_at_a_time_holds_a_session(pair: tuple[Store, Store]) -> None:
    first, second = pair
    async with first.locks.hold("ann", "s", 1):
        assert not await is_free(second)
        async with second.locks.hold("bob", "s", 1), second.locks.hold("ann", "t", 1):
            pass
    assert await is_free(second)


async def test_a_gateway_that_waits_gets_the_session_when_it_is_free(pair: tuple[Store, Store]) -> None:
    first, second = pair
    order: list[str] = []

    async def wait() -> None:
        async with second.locks.hold("ann", "s", 30):
            order.append("second")

    async with asyncio.TaskGroup() as tasks, first.locks.hold("ann", "s", 1):
        tasks.create_task(wait())
        await asyncio.sleep(0.2)
        order.append("first")
    assert order == ["first", "second"]


HOLDER = """
import asyncio, sys
from clawgate.state.store import open_store
async def main():
    store = await open_store(sys.argv[1], clock=lambda: 1_800_000_000.0)
    await store.begin_idempotent("ann", "k", "hash", "r-dead")
    async with store.locks.hold("ann", "s", 10):
        print("held", flush=True)
        await asyncio.sleep(300)
asyncio.run(main())
"""


async def test_the_session_of_a_gateway_that_was_killed_is_free_within_5_s(
    url: str, pair: tuple[Store, Store]
) -> None:
    store, _ = pair
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None and await process.stdout.readline() == b"held\n"
        assert not await is_free(store)
        assert await store.begin_idempotent("ann", "k", "hash", "r1") == Running("r-dead")
    finally:
        process.kill()
        await process.wait()
    began_at = time.monotonic()
    async with store.locks.hold("ann", "s", 5):
        assert time.monotonic() - began_at < 5
    assert await store.begin_idempotent("ann", "k", "hash", "r1") == Begun()


async def test_who_lost_the_lock_with_its_connection_cannot_store_its_run(
    url: str, postgres: PostgresServer, pair: tuple[Store, Store]
) -> None:
    first, second = pair
    async with first.locks.hold("ann", "s", 1):
        postgres.execute(END_LOCKS.format(url.rpartition("/")[2]))
        async with second.locks.hold("ann", "s", 5):
            await second.commit(run("r2"))
        with pytest.raises(SessionConflict):
            await first.commit(run("r1"))
    async with first.locks.hold("ann", "s", 5):
        assert not await is_free(second), "the connection was opened again"


async def test_a_lock_that_is_held_anew_is_not_released_by_who_lost_it(
    url: str, postgres: PostgresServer, pair: tuple[Store, Store]
) -> None:
    first, second = pair
    async with first.locks.hold("ann", "s", 1):
        postgres.execute(END_LOCKS.format(url.rpartition("/")[2]))
        holding = second.locks.hold("ann", "s", 5)
        await holding.__aenter__()
    assert not await is_free(first)
    await holding.__aexit__(None, None, None)
    assert await is_free(first)


async def test_a_release_that_is_cancelled_before_its_turn_leaves_no_lock(pair: tuple[Store, Store]) -> None:
    first, second = pair
    shared = first._database.locks
    assert isinstance(shared, PostgresLocks)
    number = lock_number("ann", "s")
    await shared.acquire(number)
    async with shared._turn, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(shared.release(number))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled() and await is_free(second)


async def test_a_run_that_is_cancelled_while_it_waits_leaves_no_lock(pair: tuple[Store, Store]) -> None:
    """At every point of the way: the server may have granted the lock already."""
    first, second = pair
    shared = first._database.locks
    assert shared is not None
    number = lock_number("ann", "s")
    for steps in range(12):
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(shared.acquire(number))
            for _ in range(steps):
                await asyncio.sleep(0)
            if not task.done():
                task.cancel()
        if not task.cancelled():
            await shared.release(number)
        assert await is_free(second), f"cancelled after {steps} steps"


async def test_messages_reach_the_other_gateways_also_after_a_lost_connection(
    url: str, postgres: PostgresServer, pair: tuple[Store, Store]
) -> None:
    got: tuple[list[str], list[str]] = ([], [])
    both = [(store.shared, seen.append) for store, seen in zip(pair, got, strict=True)]
    for shared, on_message in both:
        assert shared is not None
        await shared.exchange([], on_message)
    for text in ("one", "two"):
        for shared, on_message in both:
            assert shared is not None
            await shared.exchange([], on_message)  # connected again
        assert both[0][0] is not None
        await both[0][0].exchange([text], both[0][1])
        await until(lambda: text in got[1], "the message")  # noqa: B023
        postgres.execute(END_LOCKS.format(url.rpartition("/")[2]))
        await until(lambda: all(s.shared._connection is None for s in pair), "the loss")  # type: ignore[union-attr]
    assert got == ([], ["one", "two"])
