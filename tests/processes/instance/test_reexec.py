"""A process becomes itself anew: the listener stays, and who wants an end gets one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.processes.instance.reexec import (
    OWNER_VARIABLE,
    SOCKETS_VARIABLE,
    inherited_sockets,
    matching_sockets,
)

PROGRAM = Path(__file__).with_name("handover_program.py")
TERM, INT = int(signal.SIGTERM), int(signal.SIGINT)


class Program:
    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-u", PROGRAM, "a b"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.born = self.hear()

    def hear(self) -> list[str]:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().decode().split()

    def send(self, what: str) -> list[str]:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{what}\n".encode())
        return self.hear()

    @property
    def port(self) -> int:
        return int(self.born[3])


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program()
    yield made
    made.popen.kill()
    made.popen.communicate()


def test_the_listener_and_its_pending_connections_survive(program: Program) -> None:
    """A connection that was made before the exec is accepted after it; number and arguments stay."""
    with socket.create_connection(("127.0.0.1", program.port)):
        program.send("SIGUSR1")
        reborn = program.send("end")
        assert program.born == ["life", "0", str(program.popen.pid), str(program.port), "0", "a", "b"]
        assert reborn == ["life", "1", str(program.popen.pid), str(program.port), "1", "a", "b"]
    with socket.create_connection(("127.0.0.1", program.port)):
        program.send("SIGUSR1")
        assert program.send("end")[1] == "2"


def test_a_restart_drains_like_a_stop_and_once(program: Program) -> None:
    """A second restart signal has no effect: the second signal of a stop would abort responses."""
    program.send("SIGUSR1")
    program.send("SIGUSR1")
    assert program.send("state") == ["True", str(TERM)]


@pytest.mark.parametrize("sig", [TERM, INT])
def test_a_stop_cancels_a_restart(program: Program, sig: int) -> None:
    """The signal is passed on, so that it still means what a second signal means."""
    program.send("SIGUSR1")
    program.send(signal.Signals(sig).name)
    assert program.send("state") == ["False", str(TERM), str(sig)]
    assert program.send("end") == ["over", str(TERM), str(sig)] and program.popen.wait(120) == 0


def test_a_restart_does_not_undo_a_stop(program: Program) -> None:
    program.send("SIGTERM")
    program.send("SIGUSR1")
    assert program.send("end") == ["over", str(TERM)]


def test_after_the_end_the_port_is_free(program: Program) -> None:
    program.send("end")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", program.port))


@pytest.mark.parametrize(
    "owner", ["1", "", "x", str(os.getppid())], ids=["init", "empty", "no number", "parent"]
)
def test_descriptors_of_a_parent_are_not_ours(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(SOCKETS_VARIABLE, str(listener.fileno()))
        monkeypatch.setenv(OWNER_VARIABLE, owner)
        assert inherited_sockets() == []
        assert not {SOCKETS_VARIABLE, OWNER_VARIABLE} & set(os.environ)


@pytest.mark.parametrize("numbers", ["", "999999", "x", "-1", ",,", "1"])
def test_a_descriptor_that_is_no_listening_socket_is_left_alone(
    numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SOCKETS_VARIABLE, numbers)
    monkeypatch.setenv(OWNER_VARIABLE, str(os.getpid()))
    assert inherited_sockets() == []
    os.fstat(1)


def test_a_connection_is_not_inherited_as_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        monkeypatch.setenv(SOCKETS_VARIABLE, str(one.fileno()))
        monkeypatch.setenv(OWNER_VARIABLE, str(os.getpid()))
        assert inherited_sockets() == []
        one.sendall(b"x")
        assert other.recv(1) == b"x"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_listener_on_the_configured_address_is_kept(host: str) -> None:
    with socket.create_server((host, 0)) as listener:
        for port in (listener.getsockname()[1], 0):
            assert matching_sockets([listener], host, port) == [listener] and listener.fileno() >= 0


def test_a_listener_on_another_address_is_closed() -> None:
    """The config was changed: it says another port, or another address."""
    for change in ({"port": 1}, {"host": "0.0.0.0"}):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            place = {"host": "127.0.0.1", "port": listener.getsockname()[1]} | change
            assert matching_sockets([listener], str(place["host"]), int(place["port"])) == []
            assert listener.fileno() == -1


def test_no_listener_matches_if_none_was_inherited() -> None:
    assert matching_sockets([], "127.0.0.1", 0) == []
