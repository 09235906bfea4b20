"""The subreaper reports the command's life, ends with the gateway and leaves no process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from clawgate.processes.supervision import subreaper
from tests.processes.supervised import command, is_there, there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc")


class RunningSubreaper:
    """A subreaper with a command."""

    def __init__(self, argv: tuple[str, ...], environment: dict[str, str]) -> None:
        reading, self.control = os.pipe()
        self._report, writing = os.pipe()
        self.popen = subprocess.Popen(
            subreaper.command(writing, argv, environment),
            stdin=reading,
            stdout=subprocess.PIPE,
            pass_fds=(writing,),
            env=environment,
            start_new_session=True,
        )
        os.close(reading)
        os.close(writing)
        assert self.popen.stdout is not None
        self.output = self.popen.stdout
        self.report = os.fdopen(self._report)

    def send(self, order: bytes) -> None:
        os.write(self.control, order)

    def leave(self) -> None:
        """As if we had been killed."""
        if self.control >= 0:
            os.close(self.control)
            self.control = -1


LIBC_SIGNALS = 0b11 << 31
"""32 and 33 are glibc's own (nptl(7)); its posix_spawn, which Python 3.13 takes where it can, leaves them ignored."""


@contextlib.contextmanager
def subreaper_of(*argv: str, **environment: str) -> Iterator[RunningSubreaper]:
    before = there()
    it = RunningSubreaper(argv, environment)
    try:
        yield it
    finally:
        it.leave()
        it.popen.wait(120)
        it.report.close()
        it.output.close()
    assert there() <= before


@pytest.fixture
def quit_is_ignored() -> Iterator[None]:
    """As in a program that a shell's script started in the background."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("quit_is_ignored")
def test_the_command_inherits_its_environment_and_nothing_else() -> None:
    """No variable that Python sets, no descriptor but the first three, no signal that is ignored."""
    with subreaper_of("/usr/bin/env", PLAIN="1") as it:
        assert it.output.read() == b"PLAIN=1\n"
    with subreaper_of(
        "/bin/sh", "-c", "echo /proc/self/fd/*; grep SigIgn /proc/self/status", PATH="/usr/bin:/bin"
    ) as it:
        fds, ignored = it.output.read().splitlines()
        assert fds.split()[:3] == [b"/proc/self/fd/0", b"/proc/self/fd/1", b"/proc/self/fd/2"]
        assert len(fds.split()) <= 4  # the shell itself may look at the folder
        assert int(ignored.split()[1], 16) & ~LIBC_SIGNALS == 0


@pytest.mark.parametrize(
    ("arguments", "line"), [(("exit", 0), "exit 0"), (("exit", 3), "exit 3"), (("signal", 11), "exit -11")]
)
def test_the_exit_of_the_command_is_reported(arguments: tuple[object, ...], line: str) -> None:
    with subreaper_of(*command(*map(str, arguments))) as it:
        assert it.report.readline().startswith("pid ")
        assert it.report.read() == f"{line}\n"


def test_a_missing_command_is_reported_by_its_errno() -> None:
    with subreaper_of("/no/such/command") as it:
        assert it.report.read() == "failed 2\n"


@pytest.mark.parametrize("order", [subreaper.TERM, subreaper.KILL])
def test_an_order_ends_the_command(order: bytes) -> None:
    with subreaper_of(*command("wait")) as it:
        assert it.output.readline().startswith(b"up")
        it.send(order)
        sig = signal.SIGTERM if order == subreaper.TERM else signal.SIGKILL
        assert it.report.read().endswith(f"\nexit {-sig}\n")


def test_a_command_that_ignores_sigterm_waits_for_the_kill_order() -> None:
    with subreaper_of(*command("stubborn", "0")) as it:
        assert it.output.readline().startswith(b"up")
        it.send(subreaper.TERM)
        it.send(subreaper.KILL)
        assert it.report.read().endswith("\nexit -9\n")


@pytest.mark.parametrize("how", ["pipe", "signal"])
def test_without_the_gateway_everything_ends_daemons_too(how: str) -> None:
    """Its input closes, or it gets SIGTERM itself."""
    with subreaper_of(*command("family", "0")) as it:
        family = [int(it.output.readline().split()[1]) for _ in range(4)]
        assert {os.getsid(pid) for pid in family} >= {it.popen.pid}
        assert len({os.getsid(pid) for pid in family}) == 3  # two of them left for a session of their own
        if how == "pipe":
            it.leave()
        else:
            it.popen.terminate()
        assert it.report.read().count("exit") == 1
        assert not any(map(is_there, family))


def test_descendants_are_found_through_their_parents() -> None:
    processes = {1: (0, 1, 1), 5: (1, 5, 5), 6: (5, 5, 5), 7: (6, 7, 7), 8: (1, 8, 8)}
    assert subreaper.descendants(5, processes) == {6, 7}
    assert subreaper.descendants(8, processes) == set()
    assert os.getpid() in subreaper.descendants(os.getppid(), subreaper.process_table())


def test_what_an_adopted_process_started_is_killed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only once it has died: until then its children are not ours, and nobody looks again."""
    here, session = os.getpid(), os.getsid(0)
    killed: list[int] = []
    table = {2: (here, 2, 2), 3: (2, 3, 3), 4: (3, 4, 4), 5: (here, 5, session), 6: (here, 6, 6)}
    monkeypatch.setattr(subreaper, "process_table", lambda: table)
    monkeypatch.setattr(subreaper, "_signal", lambda pid, sig: killed.append(pid))
    assert subreaper.kill_leftovers(9, "no-such-marker", {6}) == {2, 3, 4}
    assert sorted(killed) == [2, 3, 4]
