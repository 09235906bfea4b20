"""The owner of a port is found where /proc shows it, and otherwise nobody is accused."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from clawgate.processes.port_owner import port_owner


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_our_own_listener(family: socket.AddressFamily) -> None:
    """This process is named with its pid while it listens, on IPv4 and IPv6, and not afterwards."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as sock:
        port = sock.getsockname()[1]
        assert (port_owner(port) or "").endswith(f"(pid {os.getpid()})")
    assert port_owner(port) is None


def test_another_users_process_is_not_guessed(tmp_path: Path) -> None:
    """A port whose socket belongs to nobody that we can look into has no owner."""
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:1F99 00000000:0000 {} 00000000:00000000 00:00000000 00000000 0 0 {} 1"
    listens, is_connected = row.format("0A", 4242), row.format("01", 4343)
    (tmp_path / "net" / "tcp").write_text(f"header\n{is_connected}\n{listens}\n")
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "comm").write_text("visible\n")
    (tmp_path / "7" / "fd" / "2").symlink_to("socket:[4343]")
    assert port_owner(0x1F99, tmp_path) is None
    (tmp_path / "7" / "fd" / "3").symlink_to("socket:[4242]")
    assert port_owner(0x1F99, tmp_path) == "visible (pid 7)"
    assert port_owner(0x1F98, tmp_path) is None


def test_no_proc(tmp_path: Path) -> None:
    """Without /proc there is no answer, and no error."""
    assert port_owner(80, tmp_path) is None
