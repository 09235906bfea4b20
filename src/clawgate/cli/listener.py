"""Opens the listening sockets of a role; a port that is taken ends the command with the name of its owner."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from socket import socket
from typing import Any, NoReturn

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode


def open_sockets(role: Any, inherited: Sequence[socket] = ()) -> tuple[list[socket], str]:
    """Return the role's listening sockets (``inherited`` ones, if there are any) and its URL."""
    from clawgate.app import open_listener

    try:
        sockets = list(inherited) or open_listener(role)
    except (OSError, UnicodeError) as error:
        _fail_to_listen(role.host, role.port, error)
    port = sockets[0].getsockname()[1]
    host = f"[{role.host}]" if ":" in role.host else role.host
    return sockets, f"{'https' if role.tls else 'http'}://{host}:{port}"


def _fail_to_listen(host: str, port: int, error: OSError | UnicodeError) -> NoReturn:
    from clawgate.processes.port_owner import port_owner

    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        owner = port_owner(port)
        by = f" by {owner}" if owner else ""
        fail(
            f"port {port} on {host} is already in use{by}; stop that process or choose another --port",
            status=ExitCode.PORT_TAKEN,
        )
    fail(f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}")
