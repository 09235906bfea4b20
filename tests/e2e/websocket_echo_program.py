"""A listener whose WebSockets send every message back: `python websocket_echo_program.py`, which prints its port.

Binary messages as well, unlike the gateway's: Autobahn's cases 1.2.* send some.
"""

from __future__ import annotations

import sys
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from clawgate.app.factory import raise_fd_limit
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import RouteTable
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream import websocket_messages
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.downstream.websocket_connection import WebSocketConnection
from tests.relay.websocket_frames import Echo


class EchoesBinary(ServerProtocol):
    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        if frame.opcode is Opcode.BINARY:
            self.events.pop()
            self.send_frame(frame)


async def no_page(*_: Any) -> None:
    """There is no control API."""


def main() -> None:
    raise_fd_limit()
    websocket_messages.ServerProtocol = EchoesBinary  # type: ignore[attr-defined]  # in this process alone
    admission = Admission(
        upstream=None,
        routes=RouteTable(exact={}, prefixes={}),
        browser=CrossOriginPolicy(),
        body_limit=0,
        via_pseudonym=b"clawgate-echo",
        socket_paths=frozenset({b"/"}),
    )
    connections = ConnectionManager(
        admission=admission,
        upstreams=(),
        limits=ClientLimits(),
        observer=None,
        make_socket=lambda listener, upgrade: WebSocketConnection(
            listener, upgrade, Echo(authenticates=b"x-stay-unknown" not in dict(upgrade.head.fields))
        ),
    )
    sockets = listen("127.0.0.1", 0)
    sys.stdout.write(f"{sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    Server(connections, no_page, drain_seconds=0.1).run_with_sockets(sockets)


if __name__ == "__main__":
    main()
