"""One life of a child: told once that it began and once that it ended, with a reason where it could not begin."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from clawgate.plugins.api import ChildSpec
from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.child import Child
from clawgate.processes.supervision.child_state import Event, Exited, SpawnFailed, Started
from clawgate.processes.supervision.output_tail import OutputTail
from tests.processes.supervised import PATIENCE, command, there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc")


def life(argv: tuple[str, ...], orders: tuple[bytes, ...] = ()) -> tuple[list[Event], tuple[str, ...]]:
    """All that is told of a child, which gets its orders when it has begun."""
    told: list[Event] = []
    output = OutputTail()

    async def work() -> None:
        over = asyncio.Event()

        def tell(event: Event) -> None:
            told.append(event)
            if isinstance(event, Started):
                for order in orders:
                    child.send(order)
            else:
                over.set()

        child = Child(ChildSpec(name="c", argv=argv, environment={"PATH": "/bin"}), output, tell)
        child.start()
        await asyncio.wait_for(over.wait(), PATIENCE)
        child.send(subreaper.KILL)  # comes too late, and does no harm

    before = there(), len(os.listdir("/dev/fd"))  # noqa: PTH208  # a number is all that is wanted
    asyncio.run(work())
    assert (there(), len(os.listdir("/dev/fd"))) == before  # noqa: PTH208  # as above
    return told, output.lines()


def test_a_life_begins_and_ends_and_its_words_are_heard() -> None:
    (begun, ended), lines = life(command("exit", 3))
    assert isinstance(begun, Started) and begun.pid > 0
    assert ended == Exited(3) and lines == ("it did not go well",)


def test_one_that_writes_without_an_end_leaves_the_loop_time_for_others() -> None:
    """After each read its pipe is left alone for a moment; nothing of the last lines is lost."""
    output = OutputTail()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo last"

        def told(event: Event) -> None:
            if isinstance(event, Exited):
                over.set()

        plan = ChildSpec(name="c", argv=("/bin/sh", "-c", script), environment={"PATH": "/usr/bin:/bin"})
        child = Child(plan, output, told)
        child.start()
        listens: list[bool] = []
        hear = child._on_output

        def heard() -> None:
            hear()
            listens.append(loop.remove_reader(child._stream))

        child._on_output = heard  # type: ignore[method-assign]  # to see what it does at each read
        loop.add_reader(child._stream, heard)
        await asyncio.wait_for(over.wait(), PATIENCE)
        assert listens and not any(listens)

    asyncio.run(work())
    assert output.lines()[-1] == "last"


@pytest.mark.parametrize(("order", "name"), [(subreaper.TERM, "SIGTERM"), (subreaper.KILL, "SIGKILL")])
def test_it_ends_when_it_is_told(order: bytes, name: str) -> None:
    (_, ended), _ = life(("/bin/sleep", "1000"), (order,))
    assert isinstance(ended, Exited) and ended.signal_name == name


@pytest.mark.parametrize(
    "argv", [(), ("",), ("clawgate-no-such-command",), ("a\0b",), ("/etc/passwd",), ("/",)]
)
def test_what_cannot_begin_says_so_once(argv: tuple[str, ...]) -> None:
    (failed,), _ = life(argv)
    assert isinstance(failed, SpawnFailed) and failed.lasting and failed.error
