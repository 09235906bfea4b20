"""Code that keeps the event loop is interrupted, and everything else is left alone."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest
import uvloop

from clawgate.plugins.host.watchdog import EventLoopBlocked, WatchedAwaitable, alarm_after

pytestmark = pytest.mark.timeout(280, method="thread")  # the other method has the alarm for itself


async def blocks() -> None:
    await asyncio.sleep(0)
    time.sleep(30)  # noqa: ASYNC251  # just that


async def answers(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def passes_on() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "was told"
    return "never"


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
async def test_a_step_that_blocks_is_interrupted(run: object) -> None:
    assert callable(run)
    with pytest.raises(EventLoopBlocked, match="event loop"):
        await WatchedAwaitable(blocks(), seconds=0.1)
    assert signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)


async def test_what_does_not_block_returns_what_it_would() -> None:
    assert await WatchedAwaitable(answers(7), seconds=5) == 7


async def test_a_cancellation_reaches_what_is_awaited() -> None:
    async def own() -> str:
        return await WatchedAwaitable(passes_on(), seconds=5)

    task = asyncio.get_running_loop().create_task(own())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "was told"


def test_an_interruption_that_is_swallowed_comes_again() -> None:
    """``except Exception`` around a sleep is not the end of it."""
    rung = 0
    with alarm_after(0.05):
        for _ in range(2):
            try:
                time.sleep(30)
            except EventLoopBlocked:
                rung += 1
    assert rung == 2


def test_another_thread_and_somebody_elses_alarm_are_left_alone() -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        with alarm_after(0.01):
            seen.append(signal.getsignal(signal.SIGALRM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGALRM)]
    mine = signal.signal(signal.SIGALRM, lambda number, frame: None)
    try:
        with alarm_after(0.01):
            assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    finally:
        signal.signal(signal.SIGALRM, mine)
