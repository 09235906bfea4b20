"""The process in between: it tells what becomes of the command, and outlives neither us nor leaves anything behind."""

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


class Kept:
    """A keeper with a stand-in child."""

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

    def tell(self, order: bytes) -> None:
        os.write(self.control, order)

    def leave(self) -> None:
        """As if we had been killed."""
        if self.control >= 0:
            os.close(self.control)
            self.control = -1


LIBC_SIGNALS = 0b11 << 31
"""32 and 33 are glibc's own (nptl(7)); its posix_spawn, which Python 3.13 takes where it can, leaves them ignored."""


@contextlib.contextmanager
def kept(*argv: str, **environment: str) -> Iterator[Kept]:
    before = there()
    it = Kept(argv, environment)
    try:
        yield it
    finally:
        it.leave()
        it.popen.wait(20)
        it.report.close()
        it.output.close()
    assert there() <= before


def test_the_command_gets_its_environment_and_nothing_else_of_ours() -> None:
    """No variable that Python sets, no descriptor but the first three, no signal that is ignored."""
    with kept("/usr/bin/env", PLAIN="1") as it:
        assert it.output.read() == b"PLAIN=1\n"
    with kept(
        "/bin/sh", "-c", "echo /proc/self/fd/*; grep SigIgn /proc/self/status", PATH="/usr/bin:/bin"
    ) as it:
        fds, ignored = it.output.read().splitlines()
        assert fds.split()[:3] == [b"/proc/self/fd/0", b"/proc/self/fd/1", b"/proc/self/fd/2"]
        assert len(fds.split()) <= 4  # the shell itself may look at the folder
        assert int(ignored.split()[1], 16) & ~LIBC_SIGNALS == 0


@pytest.mark.parametrize(
    ("arguments", "line"), [(("exit", 0), "exit 0"), (("exit", 3), "exit 3"), (("signal", 11), "exit -11")]
)
def test_the_end_of_the_command_is_told(arguments: tuple[object, ...], line: str) -> None:
    with kept(*command(*map(str, arguments))) as it:
        assert it.report.readline().startswith("pid ")
        assert it.report.read() == f"{line}\n"


def test_a_command_that_is_not_there_is_told_by_its_number() -> None:
    with kept("/no/such/command") as it:
        assert it.report.read() == "failed 2\n"


@pytest.mark.parametrize("order", [subreaper.TERM, subreaper.KILL])
def test_it_ends_the_command_when_told(order: bytes) -> None:
    with kept(*command("wait")) as it:
        assert it.output.readline().startswith(b"up")
        it.tell(order)
        sig = signal.SIGTERM if order == subreaper.TERM else signal.SIGKILL
        assert it.report.read().endswith(f"\nexit {-sig}\n")


def test_what_ignores_sigterm_waits_for_the_order_to_kill() -> None:
    with kept(*command("stubborn", "0")) as it:
        assert it.output.readline().startswith(b"up")
        it.tell(subreaper.TERM)
        it.tell(subreaper.KILL)
        assert it.report.read().endswith("\nexit -9\n")


@pytest.mark.parametrize("how", ["pipe", "signal"])
def test_without_us_everything_ends_daemons_too(how: str) -> None:
    """The other end of its input closes, or somebody asks the keeper itself to end."""
    with kept(*command("family", "0")) as it:
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
