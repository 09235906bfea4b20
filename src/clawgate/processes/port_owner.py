"""Finds the process and the user that listen on a local TCP port, and decides whether they may be sent requests.

From /proc, so on Linux only; elsewhere nothing is found. Of another user's process only the user is visible.
Invariant: only a process of the gateway's own user, or of the user that the config names, is trusted. Any other user
of this machine could listen on the port and respond as the expected program does.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from clawgate.plugins.api import TrustedUser
from clawgate.policy.local_hosts import is_loopback

_LISTEN = "0A"
PROC = Path("/proc")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: its address, and the user that created it."""

    address: Address
    uid: int
    inode: str


def port_owner(port: int, proc: Path = PROC) -> str | None:
    """Return ``name (pid N)`` of a process that listens on the port, or its user; None if nothing is visible."""
    found = listeners(port, proc)
    if not found:
        return None
    links = {f"socket:[{listener.inode}]" for listener in found}
    for folder in proc.iterdir():
        # Another user's process cannot be inspected, and any may exit meanwhile.
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and _has_open(folder, links):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
    return f"a process of {user_text(found[0].uid)}"


def listeners(port: int, proc: Path = PROC) -> list[Listener]:
    """Return the listening sockets of the port, on any address."""
    return [one for table in ("tcp", "tcp6") for one in _listeners(proc / "net" / table, port)]


def listener_uids(host: str, port: int, proc: Path = PROC) -> frozenset[int]:
    """Return the users that listen where a connection to ``host`` arrives: a local address, or ``localhost``."""
    wanted = _addresses_of(host)
    found = (one for one in listeners(port, proc) if one.address.is_unspecified or one.address in wanted)
    return frozenset(one.uid for one in found)


def user_text(uid: int) -> str:
    """Return ``user name (uid N)``."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def distrust_reason(
    host: str, port: int, trusted_user: TrustedUser, *, unknown_is_trusted: bool, proc: Path = PROC
) -> str | None:
    """Return why the process that listens there is not trusted, or None if it is.

    ``unknown_is_trusted`` decides if the user is not visible: without /proc, or in another network namespace. A host
    that is not a loopback address is another machine that the config names, of which nothing can be checked.
    """
    if trusted_user == "any" or not is_loopback(host):
        return None
    uids = listener_uids(host, port, proc)
    if not uids:
        return None if unknown_is_trusted else "the user that it runs as is not visible from here"
    trusted = os.geteuid() if trusted_user == "self" else trusted_user
    foreign = sorted(uids - {trusted})
    if not foreign:
        return None
    return f"it runs as {user_text(foreign[0])}, and only {user_text(trusted)} is trusted"


def _addresses_of(host: str) -> set[Address]:
    try:
        return {_unmapped(ipaddress.ip_address(host.strip("[]")))}
    except ValueError:
        return {ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")}


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _listeners(table: Path, port: int) -> list[Listener]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for row in map(str.split, lines):
        address, _, number = row[1].rpartition(":")
        if row[3] == _LISTEN and int(number, 16) == port:
            found.append(Listener(_parse(address), int(row[7]), row[9]))
    return found


def _parse(text: str) -> Address:
    """Read an address as /proc/net/tcp has it: 32-bit words in the byte order of the machine."""
    raw = bytes.fromhex(text)
    step = -1 if sys.byteorder == "little" else 1
    words = b"".join(raw[start : start + 4][::step] for start in range(0, len(raw), 4))
    return _unmapped(ipaddress.ip_address(words))


def _has_open(folder: Path, links: set[str]) -> bool:
    for entry in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile, which says nothing about the others
            if str(entry.readlink()) in links:
                return True
    return False
