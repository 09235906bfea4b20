"""Serves an `EchoStand` in a process of its own: `python websocket_echo_program.py`, which writes its port.

Binary messages are sent back as well, unlike the gateway's: Autobahn's cases 1.2.* send some.
"""

from __future__ import annotations

import sys

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from clawgate.app.factory import raise_fd_limit
from clawgate.relay.downstream import websocket_messages
from clawgate.relay.downstream.server import listen
from tests.e2e.websocket_stand import EchoStand


class EchoesBinary(ServerProtocol):
    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        if frame.opcode is Opcode.BINARY:
            self.events.pop()
            self.send_frame(frame)


def main() -> None:
    raise_fd_limit()
    websocket_messages.ServerProtocol = EchoesBinary  # type: ignore[attr-defined]  # in this process alone
    sockets = listen("127.0.0.1", 0)
    sys.stdout.write(f"{sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    EchoStand().server().run_with_sockets(sockets)


if __name__ == "__main__":
    main()
