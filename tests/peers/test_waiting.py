"""Waiters look for themselves when something has changed, and never hang."""

from __future__ import annotations

import asyncio

import pytest

from tests.peers.waiting import Condition


async def test_what_holds_already_is_not_waited_for() -> None:
    """Not even for a turn of the loop: nobody has to beat."""
    await Condition().until(lambda: True, within=0)


async def test_a_beat_wakes_everyone_and_only_those_go_on_whose_fact_is_true() -> None:
    pulse, facts, done = Condition(), set[int](), list[int]()

    async def wait_for(number: int) -> None:
        await pulse.until(lambda: number in facts, within=10)
        done.append(number)

    async with asyncio.TaskGroup() as group:
        for number in (2, 1, 3):
            group.create_task(wait_for(number))
        await asyncio.sleep(0)
        for number in (1, 2, 3):
            facts.add(number)
            pulse.beat()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert done == list(range(1, number + 1))


async def test_without_a_beat_nobody_looks() -> None:
    """A fact without one is a mistake of whoever made it true, and a test shall see it."""
    looked = 0

    def ready() -> bool:
        nonlocal looked
        looked += 1
        return looked > 1

    with pytest.raises(TimeoutError):
        await Condition().until(ready, within=0.01)
    assert looked == 1


async def test_who_gives_up_says_what_was_known_by_then() -> None:
    pulse, seen = Condition(), list[str]()

    def half() -> None:
        seen.append("half")
        pulse.beat()

    asyncio.get_running_loop().call_soon(half)
    with pytest.raises(TimeoutError, match=r"^not within 0.01 s: the whole; seen \['half'\]$"):
        await pulse.until(lambda: False, lambda: f"the whole; seen {seen}", within=0.01)


async def test_a_waiter_that_was_cancelled_disturbs_nobody() -> None:
    pulse, facts = Condition(), list[int]()
    async with asyncio.TaskGroup() as group:
        left = group.create_task(pulse.until(lambda: False))
        stays = group.create_task(pulse.until(lambda: bool(facts), within=10))
        await asyncio.sleep(0)
        left.cancel()
        facts.append(1)
        pulse.beat()
    assert left.cancelled() and stays.done()
