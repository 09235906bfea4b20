"""Real children that fail in every way: no process is left, the status explains it, requests never wait."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.status import ChildStatus
from tests.e2e.stand import until
from tests.e2e.waiting import poll
from tests.ports import free_port
from tests.processes.supervised import PATIENCE, QUICK, command, is_there, there, watched

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc"),
    pytest.mark.timeout(280),
    pytest.mark.slow,
]

REPEATS = int(os.environ.get("CLAWGATE_STRESS_REPEATS", "2"))
"""Of each way to fail; more are worth their time after a change of the supervisor."""

ROOT = Path(__file__).parents[2]
repeated = pytest.mark.parametrize("time", range(REPEATS))


def serving(shown: ChildStatus) -> bool:
    return shown.state.healthy


def ended(shown: ChildStatus) -> bool:
    return shown.state.phase in ("backing_off", "given_up")


@repeated
@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_a_killed_child_is_replaced_and_reported(sig: signal.Signals, time: int) -> None:
    port = free_port()
    async with watched(command("healthy", port), port) as it:
        first = await it.until(serving)
        assert it.supervisor.unavailable() is None
        assert first.state.pid is not None and first.state.pid in there()
        os.kill(first.state.pid, sig)
        gone = await it.until(ended)
        assert sig.name in gone.state.reason
        second = await it.until(serving)
        assert (
            second.state.pid != first.state.pid
            and second.state.restarts == 1
            and not is_there(first.state.pid)
        )


@repeated
@pytest.mark.parametrize("status", [0, 1])
async def test_a_child_that_keeps_crashing_is_given_up_with_its_last_lines(status: int, time: int) -> None:
    async with watched(command("exit", status), free_port()) as it:
        shown = await it.phase("given_up")
        assert shown.state.quick_crashes == 5 and shown.last_lines == ("it did not go well",)
        assert shown.next_try is not None and shown.state.exit == f"exited with status {status}"
        why = it.supervisor.unavailable()
        assert why is not None and "5 times in a row" in why.reason and why.retry_after >= 1
        assert why.lines == ("it did not go well",)
        again = await it.phase("given_up")
        assert again.state.quick_crashes == 6


@repeated
async def test_a_child_that_never_listens_is_stopped_after_its_ready_timeout(time: int) -> None:
    async with watched(command("wait"), free_port(), limits=replace(QUICK, ready_timeout=0.3)) as it:
        stopping = await it.phase("stopping")
        assert "not ready within 0.3 s" in stopping.state.reason
        assert "SIGTERM" in (await it.until(ended)).state.reason


@repeated
async def test_a_child_that_hangs_becomes_unhealthy_and_is_replaced(time: int) -> None:
    port = free_port()
    async with watched(command("healthy", port), port) as it:
        first = await it.until(serving)
        assert first.state.pid is not None
        os.kill(first.state.pid, signal.SIGUSR1)
        await it.phase("unhealthy")
        assert "no response" in (await it.until(ended)).state.reason
        assert (await it.until(serving)).state.pid != first.state.pid


@repeated
async def test_sigterm_may_be_ignored_sigkill_not(time: int) -> None:
    port = free_port()
    async with watched(command("stubborn", port), port, limits=replace(QUICK, grace=0.1)) as it:
        first = await it.until(serving)
        await it.supervisor.restart()
        second = await it.until(lambda shown: shown.state.healthy and shown.state.pid != first.state.pid)
        assert (
            "SIGKILL" in second.state.exit and first.state.pid is not None and not is_there(first.state.pid)
        )


@repeated
@pytest.mark.parametrize("what", ["family", "lost"])
async def test_grandchildren_and_daemons_end_with_the_child(what: str, time: int) -> None:
    """Those that left the session, and those that ignore SIGTERM, too; `watched` checks that no process is left."""
    port = free_port()
    async with watched(command(what, port), port, limits=replace(QUICK, grace=0.2)) as it:
        if what == "family":
            await it.until(serving)
            assert len(there()) >= 5  # the subreaper, the child, and three of its own
        else:
            await it.until(ended)
            assert "status 1" in it.supervisor.child_status().state.exit


@repeated
async def test_100_mb_of_output_neither_block_nor_fill_memory(time: int) -> None:
    port = free_port()
    async with watched(command("noise", port), port) as it:
        shown = await it.until(serving)
        assert "the end" in shown.last_lines
        assert sum(map(len, shown.last_lines)) < 50_000


@repeated
async def test_a_child_that_closes_its_output_keeps_running(time: int) -> None:
    port = free_port()
    async with watched(command("closed", port), port) as it:
        assert (await it.until(serving)).last_lines == ()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: "clawgate-no-such-command", "not on the PATH"),
        (lambda folder: str(folder / "absent"), "no such file"),
        (lambda folder: written(folder, "#!/bin/sh\n", 0o600), "is not executable"),
        (lambda folder: written(folder, "#!/no/such/interpreter\n", 0o700), "interpreter"),
        (lambda folder: written(folder, "words\n", 0o700), "is not a program"),
        (lambda folder: "nul\0inside", "NUL"),
    ],
)
async def test_a_command_that_cannot_start_is_named_with_the_fix(
    make: Callable[[Path], str], text: str, tmp_path: Path
) -> None:
    async with watched((make(tmp_path), "--key=sekrit"), free_port()) as it:
        shown = await it.phase("given_up")
        assert text in shown.state.reason and "sekrit" not in str(shown)
        assert shown.state.pid is None and shown.next_try is not None


def written(folder: Path, text: str, mode: int) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@contextlib.contextmanager
def another(what: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the port already, and is not ours to supervise."""
    with subprocess.Popen(command(what, port), stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline().startswith(b"up")
        try:
            yield other
        finally:
            other.kill()


@repeated
@pytest.mark.parametrize("what", ["stranger", "mute"])
async def test_a_stranger_on_the_port_is_named_and_left_alone(what: str, time: int) -> None:
    port = free_port()
    with another(what, port) as other:
        async with watched(command("healthy", port), port) as it:
            shown = await it.phase("port_taken")
            assert f"(pid {other.pid})" in shown.state.reason and shown.state.port_owner is not None
            assert not shown.state.healthy and there() >= {other.pid}
            other.kill()
            assert (await it.until(serving)).state.phase == "ready"


@repeated
async def test_a_running_proxy_is_adopted_left_alone_and_replaced_after_its_exit(time: int) -> None:
    port = free_port()
    with another("healthy", port) as other:
        async with watched(command("healthy", port), port) as it:
            shown = await it.phase("adopted")
            assert (
                shown.state.healthy
                and shown.state.pid is None
                and f"(pid {other.pid})" in (shown.state.port_owner or "")
            )
        assert other.poll() is None
        async with watched(command("healthy", port), port) as it:
            await it.phase("adopted")
            other.kill()
            assert (await it.until(serving)).state.pid not in (None, other.pid)


async def test_a_process_that_takes_the_port_of_an_exited_adopted_proxy_gets_no_request() -> None:
    """Its exit is noticed at once, long before the next probe."""
    port = free_port()
    limits = replace(QUICK, probe_interval=1000.0)
    with another("healthy", port) as other:
        async with watched(command("healthy", port), port, limits=limits) as it:
            await it.phase("adopted")
            other.kill()
            assert not (await it.until(lambda shown: shown.state.phase != "adopted")).state.healthy
            assert (await it.until(serving)).state.pid not in (None, other.pid)


@repeated
@pytest.mark.parametrize("what", ["healthy", "family"])
async def test_killing_the_subreaper_kills_the_child(what: str, time: int) -> None:
    """With its daemons, which had left its session and have lost their parent."""
    port = free_port()
    others = there()  # what tests before this one share, or left
    async with watched(command(what, port), port) as it:
        first = await it.until(serving)
        assert first.state.pid is not None
        family = there() - others
        assert len(family) >= (5 if what == "family" else 2)
        os.kill(subreaper.process_table()[first.state.pid][0], signal.SIGKILL)
        assert "unknown status" in (await it.until(ended)).state.reason
        assert (await it.until(serving)).state.pid != first.state.pid
        poll(lambda: not any(map(is_there, family)), "no process of the first family is left")


@repeated
async def test_a_child_that_hides_and_kills_its_subreaper_leaves_nothing(time: int) -> None:
    """It is in another session and has no environment: only the kernel knows where it came from. Others stay."""
    port = free_port()
    async with watched(command("healthy", port), port) as other:
        await other.until(serving)
        before = there()
        limits = replace(QUICK, restart_delay=PATIENCE, max_restart_delay=PATIENCE)
        async with watched(command("fugitive"), free_port(), limits=limits) as it:
            shown = await it.until(ended)
            assert "unknown status" in shown.state.reason
            (pid, *_) = [int(line.split()[1]) for line in shown.last_lines if line.startswith("up ")]
            await until(lambda: there() <= before, lambda: f"{there() - before} are left")
            assert not is_there(pid)
        assert other.supervisor.child_status().state.healthy


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_200_restarts_leave_no_descriptor_and_no_zombie() -> None:
    limits = replace(QUICK, restart_delay=0.0, max_restart_delay=0.0, max_quick_crashes=1000)
    others = there()  # what tests before this one share with those behind it
    async with watched((sys.executable, "-I", "-S", "-c", ""), free_port(), limits=limits) as it:
        await it.until(ended)
        before = descriptors()
        shown = await it.until(lambda shown: shown.state.restarts >= 200 and ended(shown), 100)
        assert shown.state.quick_crashes > 200
        assert abs(descriptors() - before) <= 2
        assert len(there() - others) <= 4  # the keeper, and a child on each side of a restart


@pytest.mark.parametrize("what", ["family", "stubborn"])
@repeated
def test_kill_9_of_the_gateway_leaves_no_process(what: str, time: int) -> None:
    """The child and its daemons, seen from outside: each says who it is, and all of them are gone."""
    port = free_port()
    program = [sys.executable, "-m", "tests.processes.supervision.supervisor_program", what, str(port)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pids = {int(pid) for pid in owner.stdout.readline().split()}
        assert len(pids) >= (5 if what == "family" else 2)
        handles = [os.pidfd_open(pid) for pid in pids]
        owner.kill()
    for handle in handles:
        subprocess_ended(handle)
    assert not any(map(is_there, pids))


def subprocess_ended(handle: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    try:
        assert select.select([handle], [], [], PATIENCE)[0]
    finally:
        os.close(handle)
