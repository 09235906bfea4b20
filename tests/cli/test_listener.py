"""A port that is taken or an address that this machine does not have ends the command, each with its exit status."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.listener import listen_problem, open_sockets, port_warning
from clawgate.relay.downstream.server import close
from tests.cli.command import command

TOKEN = "canary-2Wd8-Xs4Gk"
BRIDGE = ["bridge", "run", "--remote-url", "http://127.0.0.1:1"]
SECRETS = {"PROXY_BRIDGE_TOKEN": TOKEN}


def test_a_port_that_is_taken_is_78_and_names_port_and_owner(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = command(*BRIDGE, "--port", str(port), folder=tmp_path, environment=SECRETS)
    assert found.returncode == ExitCode.PORT_TAKEN
    assert (
        f"port {port} on 127.0.0.1 is already in use" in found.stderr and len(found.stderr.splitlines()) == 1
    )
    if Path("/proc/net/tcp").exists():
        assert f"(pid {os.getpid()})" in found.stderr


def test_an_address_that_is_not_ours_is_1(tmp_path: Path) -> None:
    found = command(
        *BRIDGE,
        "--port",
        "0",
        "--host",
        "192.0.2.1",
        folder=tmp_path,
        environment=SECRETS | {"PROXY_BRIDGE_LOCAL_TOKEN": TOKEN},
    )
    assert found.returncode == ExitCode.FAILED and "cannot listen on 192.0.2.1 port 0" in found.stderr
    assert "the host must be an address of this machine" in found.stderr
    assert "canary" not in found.stderr


def test_a_port_that_needs_rights_names_the_ports_that_need_none() -> None:
    status, message = listen_problem("127.0.0.1", 80, PermissionError(errno.EACCES, "Permission denied"))
    assert status == ExitCode.FAILED and message.endswith("Permission denied; choose a port above 1023")


def test_a_port_that_browsers_and_fetch_refuse_is_warned_of() -> None:
    """OpenClaw would take it for a bridge that gives no response."""
    warning = port_warning(10080)
    assert warning is not None and "port 10080" in warning and "choose another" in warning
    assert [port_warning(port) for port in (0, 8089, 18789, 18800, 10081)] == [None] * 5


def test_the_warning_comes_with_the_listener(capsys: pytest.CaptureFixture[str]) -> None:
    class Role:
        host, port, tls = "127.0.0.1", 10080, None

    try:
        sockets, _ = open_sockets(Role())
    except SystemExit:
        pytest.skip("port 10080 is taken")
    close(sockets)
    assert capsys.readouterr().err == f"clawgate: warning: {port_warning(10080)}\n"
