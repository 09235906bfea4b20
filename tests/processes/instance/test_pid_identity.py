"""A process is identified by its pid and its start time: no other one is signalled in its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.processes.instance.pid_identity import identity_of, send_signal, wait_for_exit

WAITS = "import sys; sys.stdin.read()"


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE) as popen:
        yield popen
        popen.kill()


def test_an_identity_is_stable_and_unique(other: subprocess.Popen[bytes]) -> None:
    ours, theirs = identity_of(os.getpid()), identity_of(other.pid)
    assert ours == identity_of(os.getpid()) and theirs == identity_of(other.pid)
    assert None not in (ours, theirs) and ours != theirs


def test_an_exited_process_has_no_identity(other: subprocess.Popen[bytes]) -> None:
    """Also as a zombie, whose parent has not waited for it."""
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert identity_of(other.pid) is None
    other.wait()
    assert identity_of(other.pid) is None


def test_a_signal_reaches_the_identified_process(other: subprocess.Popen[bytes]) -> None:
    identity = identity_of(other.pid)
    assert identity is not None and send_signal(other.pid, identity, signal.SIGTERM)
    assert wait_for_exit(other.pid, identity, 10)
    assert other.wait() == -signal.SIGTERM and not send_signal(other.pid, identity, signal.SIGTERM)


def test_a_reused_pid_is_not_signalled(other: subprocess.Popen[bytes]) -> None:
    """The recorded process is over, and another one has its number now."""
    assert not send_signal(other.pid, "boot pid:[1] 1", signal.SIGKILL)
    assert wait_for_exit(other.pid, "boot pid:[1] 1", 0)
    assert other.poll() is None


def test_waiting_for_a_running_process_times_out(other: subprocess.Popen[bytes]) -> None:
    assert not wait_for_exit(other.pid, identity_of(other.pid) or "", 0)


def test_a_program_name_cannot_be_mistaken_for_fields(tmp_path: Path) -> None:
    """The program's name stands in brackets before the fields, and may hold brackets and spaces itself."""
    for folder in ("7", "self/ns", "sys/kernel/random"):
        (tmp_path / folder).mkdir(parents=True)
    fields = ["S", *map(str, range(4, 40))]
    (tmp_path / "7" / "stat").write_text(f"7 (a) Z 1 (b) {' '.join(fields)}\n")
    (tmp_path / "self" / "stat").write_text("")
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4]")
    (tmp_path / "sys" / "kernel" / "random" / "boot_id").write_text("boot\n")
    assert identity_of(7, tmp_path) == "boot pid:[4] 22"


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="there is no ps")
def test_without_proc_the_identity_is_the_start_time(tmp_path: Path) -> None:
    found = identity_of(os.getpid(), tmp_path)
    assert found is not None and ":" in found and found == identity_of(os.getpid(), tmp_path)
