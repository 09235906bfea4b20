from __future__ import annotations

import asyncio

import pytest

from clawgate.errors import SessionBusy
from clawgate.state.locks import SessionLocks, lock_number

NUMBER = 0x2BEFD78DA97F6891


async def test_one_run_at_a_time_holds_a_session_in_the_order_in_which_they_came() -> None:
    locks = SessionLocks()
    order: list[str] = []

    async def hold(name: str) -> None:
        async with locks.hold("ann", "s", 60):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(*(hold(name) for name in "abc"))
    assert order == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert not locks._queues, "nothing is kept of a session that is not in use"


async def test_other_sessions_and_other_callers_do_not_wait() -> None:
    locks = SessionLocks()
    async with locks.hold("ann", "s", 0), locks.hold("ann", "t", 0), locks.hold("bob", "s", 0):
        pass


async def test_a_wait_ends_with_429_and_when_to_retry() -> None:
    locks = SessionLocks()
    async with locks.hold("ann", "s", 0):
        with pytest.raises(SessionBusy, match="'s'") as caught:
            async with locks.hold("ann", "s", 0):
                pass
    assert caught.value.retry_after
    async with locks.hold("ann", "s", 0):
        pass
    assert not locks._queues


async def test_the_queue_of_a_session_is_bounded() -> None:
    locks = SessionLocks(max_waiting=2)
    release = asyncio.Event()
    held = asyncio.Event()

    async def hold() -> None:
        async with locks.hold("ann", "s", 60):
            held.set()
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(hold())
        await held.wait()
        with pytest.raises(SessionBusy, match="2 requests wait"):
            async with locks.hold("ann", "s", 60):
                pass
        release.set()


async def test_a_run_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    locks = SessionLocks(max_waiting=1)

    async def hold() -> None:
        async with locks.hold("ann", "s", 60):
            pass

    async with locks.hold("ann", "s", 0), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(hold())
        await asyncio.sleep(0)
        waiting.cancel()
    assert not locks._queues


def test_the_number_of_a_lock_is_the_same_everywhere_and_fits_a_bigint() -> None:
    assert lock_number("ann", "s") == NUMBER
    assert 0 <= lock_number("a", "b") < 2**63
    assert lock_number("a\0", "b") != lock_number("a", "b")
