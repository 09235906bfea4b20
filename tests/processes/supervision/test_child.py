"""A child emits its start and its end once each, or one failure with a reason."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from clawgate.plugins.api import ChildSpec
from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.child import Child
from clawgate.processes.supervision.child_state import Event, Exited, SpawnFailed, Started
from clawgate.processes.supervision.output_tail import OutputTail
from tests.processes.supervised import PATIENCE, command, there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc")


def life(
    argv: tuple[str, ...], orders: tuple[bytes, ...] = (), **more: Any
) -> tuple[list[Event], tuple[str, ...]]:
    """Return all events and lines of a child, which gets its orders when it has started."""
    events: list[Event] = []
    output = OutputTail()

    async def work() -> None:
        over = asyncio.Event()

        def emit(event: Event) -> None:
            events.append(event)
            if isinstance(event, Started):
                for order in orders:
                    child.send(order)
            else:
                over.set()

        spec = ChildSpec(**{"name": "c", "argv": argv, "environment": {"PATH": "/bin"}, **more})
        child = Child(spec, output, emit)
        child.start()
        await asyncio.wait_for(over.wait(), PATIENCE)
        child.send(subreaper.KILL)  # comes too late, and does no harm

    before = there(), len(os.listdir("/dev/fd"))  # noqa: PTH208  # a number is all that is wanted
    asyncio.run(work())
    assert (there(), len(os.listdir("/dev/fd"))) == before  # noqa: PTH208  # as above
    return events, output.lines()


def test_a_child_emits_started_and_exited_and_its_output_is_kept() -> None:
    (begun, ended), lines = life(command("exit", 3))
    assert isinstance(begun, Started) and begun.pid > 0
    assert ended == Exited(3) and lines == ("it did not go well",)


async def test_a_child_that_writes_endlessly_does_not_occupy_the_loop() -> None:
    """After each read its pipe is left alone for a moment; nothing of the last lines is lost."""
    output = OutputTail()
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo last"

    def events(event: Event) -> None:
        if isinstance(event, Exited):
            over.set()

    plan = ChildSpec(name="c", argv=("/bin/sh", "-c", script), environment={"PATH": "/usr/bin:/bin"})
    child = Child(plan, output, events)
    child.start()
    listens: list[bool] = []
    read_output = child._on_output

    def on_output() -> None:
        read_output()
        listens.append(loop.remove_reader(child._stream))

    child._on_output = on_output  # type: ignore[method-assign]  # to see what it does at each read
    loop.add_reader(child._stream, on_output)
    await asyncio.wait_for(over.wait(), PATIENCE)
    assert listens and not any(listens)
    assert output.lines()[-1] == "last"


@pytest.mark.parametrize("cwd", [None, "own"])
def test_a_child_learns_nothing_of_the_folder_that_the_gateway_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cwd: str | None
) -> None:
    """Neither as its working directory nor in PWD and OLDPWD, which some programs prefer to it."""
    gateways, own = tmp_path / "gateways", tmp_path / "own"
    gateways.mkdir()
    own.mkdir()
    monkeypatch.chdir(gateways)
    environment = {"PATH": "/bin", "PWD": str(gateways), "OLDPWD": str(gateways)}
    folder = None if cwd is None else own
    _, lines = life(("/usr/bin/env",), environment=environment, cwd=folder)
    assert f"PWD={folder or '/'}" in lines and not any(str(gateways) in line for line in lines)


@pytest.mark.parametrize(("order", "name"), [(subreaper.TERM, "SIGTERM"), (subreaper.KILL, "SIGKILL")])
def test_a_child_ends_on_order(order: bytes, name: str) -> None:
    (_, ended), _ = life(("/bin/sleep", "1000"), (order,))
    assert isinstance(ended, Exited) and ended.signal_name == name


@pytest.mark.parametrize(
    "argv", [(), ("",), ("clawgate-no-such-command",), ("a\0b",), ("/etc/passwd",), ("/",)]
)
def test_a_command_that_cannot_start_emits_one_failure(argv: tuple[str, ...]) -> None:
    (failed,), _ = life(argv)
    assert isinstance(failed, SpawnFailed) and failed.lasting and failed.error


async def test_a_piped_child_reads_and_writes_pipes_and_its_errors_are_collected() -> None:
    output, over = OutputTail(), asyncio.Event()

    def emit(event: Event) -> None:
        if isinstance(event, Exited):
            over.set()

    before = len(os.listdir("/dev/fd"))  # noqa: PTH208  # a number is all that is wanted
    script = "read line; echo got $line; echo problem >&2; cat >/dev/null"
    spec = ChildSpec(name="c", argv=("/bin/sh", "-c", script), environment={"PATH": "/usr/bin:/bin"})
    child = Child(spec, output, emit, piped=True)
    child.start()
    pipes = child.take_pipes()
    assert pipes is not None and child.take_pipes() is None
    writing, reading = pipes
    os.write(writing, b"hello\n")
    assert await asyncio.to_thread(os.read, reading, 100) == b"got hello\n"
    os.close(writing)  # the last of its input, which no other process holds open
    await asyncio.wait_for(over.wait(), PATIENCE)
    assert await asyncio.to_thread(os.read, reading, 100) == b""
    os.close(reading)
    assert output.lines() == ("problem",)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208  # as above


async def test_pipes_that_are_not_taken_are_closed_with_the_child() -> None:
    before, over = len(os.listdir("/dev/fd")), asyncio.Event()  # noqa: PTH208  # a number is all that is wanted
    spec = ChildSpec(name="c", argv=("/bin/cat",), environment={"PATH": "/usr/bin:/bin"})
    child = Child(
        spec, OutputTail(), lambda event: over.set() if isinstance(event, Exited) else None, piped=True
    )
    child.start()
    child.send(subreaper.KILL)
    await asyncio.wait_for(over.wait(), PATIENCE)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208  # as above
