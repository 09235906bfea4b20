"""Sockets of systemd are taken once and by the process that they are for; readiness is one datagram."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clawgate.processes.instance.service_manager import activated_sockets, notify_ready

ACTIVATED = Path(__file__).parents[2] / "activated_program.py"
_SHOW = """
import os
from clawgate.processes.instance.service_manager import activated_sockets
try:
    found = activated_sockets()
except ValueError as error:
    print("refused:", error)
else:
    print([(one.getsockname()[1], one.get_inheritable(), one.gettimeout()) for one in found])
print(sorted(name for name in os.environ if name.startswith("LISTEN_")), activated_sockets())
"""


def shown(sock: socket.socket) -> list[str]:
    """What a process that systemd passes ``sock`` finds."""
    done = subprocess.run(
        [sys.executable, ACTIVATED, str(sock.fileno()), sys.executable, "-c", _SHOW],
        pass_fds=[sock.fileno()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_listening_socket_is_taken_once_and_not_inherited_by_children() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert shown(listener) == [str([(listener.getsockname()[1], False, 0.0)]), "[] []"]


def test_a_socket_that_does_not_listen_is_refused() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert shown(one) == ["refused: descriptor 3 is no listening stream socket", "[] []"]


@pytest.mark.parametrize("owner", ["", "x", "0", "parent"])  # pid 1 in a container
def test_sockets_of_another_process_are_not_ours(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", owner.replace("parent", str(os.getppid())))
    assert activated_sockets() == [] and "LISTEN_FDS" not in os.environ


@pytest.mark.parametrize("abstract", [False, True])
def test_readiness_is_reported_once(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"clawgate-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify_ready()
        notify_ready()
        assert manager.recv(100) == b"READY=1" and "NOTIFY_SOCKET" not in os.environ
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(100)


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:1"])
def test_without_a_manager_that_listens_nothing_fails(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_ready()
