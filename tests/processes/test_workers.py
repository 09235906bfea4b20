"""Several processes serve one port, are replaced when they die, and never outlive the one that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(280)

ROOT = Path(__file__).parents[2]
SECONDS = 120


class Program:
    """worker_program.py in a process of its own, with its lines of output."""

    def __init__(self, what: str, count: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.worker_program", what, str(count)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout

    def numbers(self, word: str, count: int) -> list[int]:
        """The numbers of the next ``count`` lines, which all begin with ``word``."""
        lines = [self.output.readline().split() for _ in range(count)]
        assert all(line and line[0] == word for line in lines), lines
        return [int(line[1]) for line in lines]

    def workers(self, count: int) -> dict[int, int]:
        """The next ``count`` workers, pid by index, once they are up and their parent has noted them."""
        lines = [self.output.readline().split() for _ in range(count + 1)]
        assert lines.count(["waiting"]) == 1, lines
        return {int(line[2]): int(line[1]) for line in lines if line[0] == "worker"}

    def end(self) -> tuple[int, str, str]:
        """Exit status and remaining output; waits until every process that holds the output is gone."""
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


@contextlib.contextmanager
def program(what: str, count: int) -> Iterator[Program]:
    started = Program(what, count)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.communicate(timeout=SECONDS)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ask(port: int) -> int:
    """The pid of the worker that responds."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        return int(connection.recv(100))


def test_two_workers_serve_one_port_and_a_signal_ends_all_with_0() -> None:
    with program("serve", 2) as started:
        (port,) = started.numbers("port", 1)
        workers = started.workers(2)
        pids = list(workers.values())
        assert sorted(workers) == [0, 1] and len(set(pids)) == 2 and started.process.pid not in pids
        assert {ask(port) for _ in range(10)} <= set(pids)
        os.kill(pids[0], signal.SIGSTOP)  # with one asleep the other one serves
        assert {ask(port) for _ in range(3)} == {pids[1]}
        os.kill(pids[0], signal.SIGCONT)
        started.process.send_signal(signal.SIGTERM)
        assert started.end()[0] == 0
        assert not any(map(is_there, pids))


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV])
def test_a_dead_worker_is_replaced_and_logged(sig: signal.Signals) -> None:
    with program("serve", 2) as started:
        (port,) = started.numbers("port", 1)
        pids = started.workers(2)
        os.kill(pids[0], sig)
        ((index, new),) = started.workers(1).items()
        assert index == 0 and new not in pids.values() and not is_there(pids[0])
        assert {ask(port) for _ in range(5)} <= {pids[1], new}
        started.process.send_signal(signal.SIGTERM)
        status, _, err = started.end()
        assert status == 0
        assert f"worker {pids[0]} ended with status {-sig}" in err


def test_a_worker_that_stops_with_status_0_stops_all() -> None:
    """Status 0 means a requested stop: the others stop too, and none is replaced."""
    with program("serve", 2) as started:
        started.numbers("port", 1)
        os.kill(started.workers(2)[1], signal.SIGUSR1)
        status, out, _ = started.end()
        assert (status, out.replace("waiting\n", "")) == (0, "")


def test_no_worker_outlives_a_killed_parent() -> None:
    """kill -9 of the parent leaves nothing: the output ends only when the last worker is gone."""
    with program("serve", 3) as started:
        started.numbers("port", 1)
        started.workers(3)
        started.process.kill()
        assert started.end()[0] == -signal.SIGKILL


def test_every_signal_is_passed_on_and_no_worker_is_replaced_meanwhile() -> None:
    with program("stubborn", 2) as started:
        started.workers(2)
        started.process.send_signal(signal.SIGTERM)
        assert started.numbers("signal", 2) == [1, 1]
        started.process.send_signal(signal.SIGTERM)
        status, out, _ = started.end()
        assert (status, out.replace("waiting\n", "")) == (0, "signal 2\nsignal 2\n")


def test_workers_that_keep_dying_are_given_up_with_their_status() -> None:
    """After pauses that double (0.1, 0.2, 0.4, 0.8); a supervisor then sees the failure instead of a busy loop."""
    with program("die", 1) as started:
        status, out, _ = started.end()
    assert status == 3
    assert float(out.split()[1]) == pytest.approx(1.5, abs=0.25)


def test_a_signal_ends_the_restart_delay() -> None:
    """Stopping does not wait until the next worker would have been started."""
    with program("interrupted", 1) as started:
        status, out, _ = started.end()
    assert status == 0 and float(out.split()[1]) < 0.1


def test_no_worker_starts_after_a_signal() -> None:
    """It would miss the signal, and its parent would wait for it for ever."""
    with program("stopped early", 2) as started:
        status, out, _ = started.end()
    assert (status, out) == (0, "")


def test_a_new_worker_does_not_have_its_parents_signal_handler() -> None:
    """Inherited, it would only note the signal and pass it to the siblings, and the worker would go on for ever."""
    with program("look", 1) as started:
        assert "handler True" in started.end()[1]


def test_an_exception_of_a_worker_is_logged() -> None:
    with program("fail", 1) as started:
        assert "ValueError: raised by the worker" in started.end()[2]
