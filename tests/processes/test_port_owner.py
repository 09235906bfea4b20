"""The owner of a port is found if /proc shows it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from clawgate.plugins.api import TrustedUser
from clawgate.processes.port_owner import distrust_reason, listener_uids, port_owner

PORT = 0x0D80
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="rows of a little-endian machine")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_port_owner_finds_our_own_listener(family: socket.AddressFamily) -> None:
    """This process is named with its pid while it listens, on IPv4 and IPv6, and not afterwards."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as sock:
        port = sock.getsockname()[1]
        assert (port_owner(port) or "").endswith(f"(pid {os.getpid()})")
    assert port_owner(port) is None


def test_of_another_users_process_the_user_is_named(tmp_path: Path) -> None:
    """Its descriptors cannot be read; the socket's user can."""
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:1F99 00000000:0000 {} 00000000:00000000 00:00000000 00000000 54321 0 {} 1"
    listens, is_connected = row.format("0A", 4242), row.format("01", 4343)
    (tmp_path / "net" / "tcp").write_text(f"header\n{is_connected}\n{listens}\n")
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "comm").write_text("visible\n")
    (tmp_path / "7" / "fd" / "2").symlink_to("socket:[4343]")
    assert port_owner(0x1F99, tmp_path) == "a process of uid 54321"
    (tmp_path / "7" / "fd" / "3").symlink_to("socket:[4242]")
    assert port_owner(0x1F99, tmp_path) == "visible (pid 7)"
    assert port_owner(0x1F98, tmp_path) is None


def test_a_file_that_its_process_closes_meanwhile_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        f"header\n0: 0100007F:{8080:04X} 00000000:0000 0A 0 0 0 1000 0 4242\n"
    )
    files = tmp_path / "7" / "fd"
    files.mkdir(parents=True)
    (tmp_path / "7" / "comm").write_text("python\n")
    for number in (*range(3, 20), *range(21, 40)):
        (files / str(number)).touch()  # no link: as one that is gone, it cannot be read
    (files / "20").symlink_to("socket:[4242]")
    assert port_owner(8080, tmp_path) == "python (pid 7)"


def test_port_owner_is_none_without_proc(tmp_path: Path) -> None:
    """No result, and no error."""
    assert port_owner(80, tmp_path) is None


ROW = "0: {}:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {} 0 1 1"
V4, V6, MAPPED = "0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"


@little_endian
@pytest.mark.parametrize(
    ("table", "address", "host", "found"),
    [
        ("tcp", V4, "127.0.0.1", True),
        ("tcp", V4, "localhost", True),
        ("tcp", V4, "127.0.0.2", False),
        ("tcp", V4, "::1", False),
        ("tcp", "00000000", "127.0.0.2", True),
        ("tcp6", V6, "::1", True),
        ("tcp6", V6, "[::1]", True),
        ("tcp6", V6, "localhost", True),
        ("tcp6", V6, "127.0.0.1", False),
        ("tcp6", MAPPED, "127.0.0.1", True),
        ("tcp6", "0" * 32, "127.0.0.1", True),
    ],
)
def test_only_listeners_that_a_connection_would_reach_count(
    tmp_path: Path, table: str, address: str, host: str, found: bool
) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / table).write_text(f"header\n{ROW.format(address, 1234)}\n")
    assert listener_uids(host, 0x0D80, tmp_path) == (frozenset({1234}) if found else frozenset())


def proc(folder: Path, *uids: int) -> Path:
    """A /proc in which these users listen on 127.0.0.1."""
    row = "0: 0100007F:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {} 0 1 1"
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text("\n".join(["header", *map(row.format, uids)]) + "\n")
    return folder


def reason(
    folder: Path, trusted: TrustedUser, *, host: str = "127.0.0.1", unknown: bool = False
) -> str | None:
    return distrust_reason(host, PORT, trusted, unknown_is_trusted=unknown, proc=folder)


@little_endian
def test_our_own_user_is_trusted_and_another_only_if_it_is_named(tmp_path: Path) -> None:
    other = os.geteuid() + 54_321
    own = proc(tmp_path, os.geteuid())
    assert reason(own, "self") is None and reason(own, other) is not None
    (tmp_path / "b").mkdir()
    foreign = proc(tmp_path / "b", other)
    assert f"it runs as uid {other}" in str(reason(foreign, "self"))
    assert reason(foreign, other) is None and reason(foreign, "any") is None


@little_endian
def test_one_trusted_listener_among_others_is_not_enough(tmp_path: Path) -> None:
    """Either of them may get the connection."""
    assert reason(proc(tmp_path, os.geteuid(), os.geteuid() + 1), "self") is not None


@little_endian
def test_a_user_that_is_not_visible_is_decided_by_the_caller(tmp_path: Path) -> None:
    assert "not visible" in str(reason(tmp_path, "self")) and reason(tmp_path, "self", unknown=True) is None


@little_endian
def test_another_machine_that_the_config_names_cannot_be_checked(tmp_path: Path) -> None:
    assert (
        reason(tmp_path, "self", host="192.0.2.7") is None
        and reason(tmp_path, "self", host="claude-box") is None
    )
    assert (
        reason(tmp_path, "self", host="LOCALHOST") is not None
        and reason(tmp_path, "self", host="::1") is not None
    )
