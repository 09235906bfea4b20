"""Opens the listening sockets of a role, or takes those that systemd listens on.

A port that is taken ends the command with the name of its owner. So does a socket of systemd at another address than
the settings name: what a role requires of its callers follows from the address of the settings.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from socket import socket
from typing import Any

import click

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode

BLOCKED_PORTS = frozenset(
    (
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
        110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
        531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
        5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    )
)  # fmt: skip
"""To which no browser and no `fetch` connects, so no OpenClaw and no SDK for JavaScript (WHATWG Fetch, "port
blocking"; tried with Node 26)."""


def port_warning(port: int) -> str | None:
    """Return which clients do not connect to ``port``, and what to do."""
    if port not in BLOCKED_PORTS:
        return None
    return f"browsers, OpenClaw and SDKs for JavaScript do not connect to port {port}; choose another port"


def open_sockets(role: Any, inherited: Sequence[socket] = ()) -> tuple[list[socket], str]:
    """Return the role's listening sockets (``inherited`` ones, if there are any) and its URL."""
    from clawgate.relay.downstream.server import listen

    try:
        sockets = list(inherited) or _activated(role) or listen(role.host, role.port)
    except (OSError, UnicodeError) as error:
        status, message = listen_problem(role.host, role.port, error)
        fail(message, status=status)
    port = sockets[0].getsockname()[1]
    if (warning := port_warning(port)) is not None:
        click.echo(f"clawgate: warning: {warning}", err=True)
    host = f"[{role.host}]" if ":" in role.host else role.host
    return sockets, f"{'https' if role.tls else 'http'}://{host}:{port}"


def _activated(role: Any) -> list[socket]:
    """Return the sockets that systemd passes. Raises OSError for a host that has no address."""
    from clawgate.processes.instance.reexec import listens_on
    from clawgate.processes.instance.service_manager import activated_sockets

    try:
        sockets = activated_sockets()
    except ValueError as error:
        fail(
            f"LISTEN_FDS: {error}; ListenStream= of the socket unit must name an address",
            status=ExitCode.USAGE,
        )
    if sockets and not listens_on(sockets, role.host, role.port):
        places = ", ".join(f"{sock.getsockname()[0]} port {sock.getsockname()[1]}" for sock in sockets)
        fail(
            f"LISTEN_FDS: systemd listens on {places}, the settings name {role.host} port {role.port}; "
            "make ListenStream= of the socket unit and the settings the same",
            status=ExitCode.USAGE,
        )
    return sockets


def listen_problem(
    host: str, port: int, error: OSError | UnicodeError, another: str = "another --port"
) -> tuple[ExitCode, str]:
    """Return the exit status and the message for an address that cannot be listened on."""
    from clawgate.processes.port_owner import port_owner

    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        owner = port_owner(port)
        reason = f"port {port} on {host} is already in use{f' by {owner}' if owner else ''}"
        return ExitCode.PORT_TAKEN, f"{reason}; stop that process or choose {another}"
    reason = f"{getattr(error, 'strerror', None) or error}; the host must be an address of this machine"
    if isinstance(error, PermissionError):
        reason = f"{error.strerror}; choose a port above 1023"
    return ExitCode.FAILED, f"cannot listen on {host} port {port}: {reason}"
