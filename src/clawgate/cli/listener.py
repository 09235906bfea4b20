"""Opens the listening sockets of a role, or takes those that systemd listens on.

A port that is taken ends the command with the name of its owner. So does a socket of systemd at another address than
the settings name: what a role requires of its callers follows from the address of the settings.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from socket import socket
from typing import Any

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode


def open_sockets(role: Any, inherited: Sequence[socket] = ()) -> tuple[list[socket], str]:
    """Return the role's listening sockets (``inherited`` ones, if there are any) and its URL."""
    from clawgate.relay.downstream.server import listen

    try:
        sockets = list(inherited) or _activated(role) or listen(role.host, role.port)
    except (OSError, UnicodeError) as error:
        status, message = listen_problem(role.host, role.port, error)
        fail(message, status=status)
    port = sockets[0].getsockname()[1]
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
