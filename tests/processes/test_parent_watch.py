"""The end of a pipe is noticed once, whatever came before it."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from clawgate.processes.parent_watch import watch_parent


def watched(fd: int, during: list[bytes], write_to: int) -> int:
    """How often the end of ``fd`` was reported after ``during`` was written and the other end closed."""
    calls = 0

    async def look() -> None:
        seen = asyncio.Event()

        def count() -> None:
            nonlocal calls
            calls += 1
            seen.set()

        watch_parent(fd, count)
        for data in during:
            os.write(write_to, data)
        assert calls == 0
        os.close(write_to)
        await asyncio.wait_for(seen.wait(), 5)

    asyncio.run(look())
    return calls


@pytest.mark.parametrize(
    "during", [[], [b"x"], [b"x" * 5000, b"\x00", b"\n"]], ids=["nothing", "a byte", "much"]
)
def test_the_end_of_a_pipe_is_reported_once_and_its_content_discarded(during: list[bytes]) -> None:
    reading, writing = os.pipe()
    try:
        assert watched(reading, during, writing) == 1
    finally:
        os.close(reading)


def test_an_unreadable_descriptor_counts_as_closed() -> None:
    """As a standard input that was closed before the start."""
    reading, writing = os.pipe()
    os.close(reading)
    assert watched(reading, [], writing) == 1


async def test_a_pipe_that_closes_after_the_loop_has_no_effect() -> None:
    reading, writing = os.pipe()
    watch_parent(reading, lambda: None)
    os.close(writing)
    for thread in threading.enumerate():
        if thread.name == "clawgate-parent-watch":
            thread.join(120)
            assert not thread.is_alive()
    os.close(reading)


async def test_the_watcher_does_not_keep_the_process_alive() -> None:
    reading, writing = os.pipe()
    watch_parent(reading, lambda: None)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "clawgate-parent-watch"]
    assert thread.daemon
    os.close(writing)
    thread.join(120)
    os.close(reading)
