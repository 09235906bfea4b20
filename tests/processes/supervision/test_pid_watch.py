"""The exit of the watched process is reported once, and of no other one."""

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


async def test_only_the_exit_of_the_watched_process_is_reported() -> None:
    exits: asyncio.Queue[str] = asyncio.Queue()
    watch = PidWatcher(exits.put_nowait)
    first, second = sleeper(), sleeper()
    names = [f"sleep (pid {one.pid})" for one in (first, second)]
    for name in (names[0], names[1], names[1], None, names[1]):
        watch.watch(name)
    for one in (first, second):
        one.kill()
        one.wait()
    async with asyncio.timeout(PATIENCE):
        assert await exits.get() == names[1]
    watch.watch(names[1])  # which is gone already
    async with asyncio.timeout(PATIENCE):
        assert await exits.get() == names[1]
    watch.close()
    assert exits.empty()


async def test_a_process_without_a_pid_is_not_watched() -> None:
    exits: list[str] = []
    watch = PidWatcher(exits.append)
    for name in (None, "an unidentified process", "x (pid 1)"):
        watch.watch(name)
    await asyncio.sleep(0)
    watch.close()
    assert exits == []
