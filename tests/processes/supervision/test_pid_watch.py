"""Who watches a process hears of its end, once, and of nobody else's."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from clawgate.processes.supervision.pid_watch import PidWatcher
from tests.processes.supervised import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes have no handles elsewhere")


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "1000"])


def test_the_end_of_a_process_is_told_and_only_of_the_one_that_is_watched() -> None:
    async def work() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        watch = PidWatcher(told.put_nowait)
        first, second = sleeper(), sleeper()
        names = [f"sleep (pid {one.pid})" for one in (first, second)]
        for name in (names[0], names[1], names[1], None, names[1]):
            watch.watch(name)
        for one in (first, second):
            one.kill()
            one.wait()
        async with asyncio.timeout(PATIENCE):
            assert await told.get() == names[1]
        watch.watch(names[1])  # which is gone already
        async with asyncio.timeout(PATIENCE):
            assert await told.get() == names[1]
        watch.close()
        assert told.empty()

    asyncio.run(work())


def test_who_cannot_be_found_is_not_watched() -> None:
    async def work() -> None:
        told: list[str] = []
        watch = PidWatcher(told.append)
        for name in (None, "an unidentified process", "x (pid 1)"):
            watch.watch(name)
        await asyncio.sleep(0)
        watch.close()
        assert told == []

    asyncio.run(work())
