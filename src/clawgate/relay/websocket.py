"""Interface between a WebSocket of a client and the protocol that is spoken on it.

The transport (`relay.downstream.websocket_connection`) decides about the upgrade and drives frames, limits and the end
of the connection; it knows no method and no token. Must not import an implementation of either side. A listener has
WebSockets where its `Admission.socket_paths` has their path, and its `ConnectionManager` a ``make_socket`` that returns
``WebSocketConnection(listener, upgrade, handler)``.
"""

from __future__ import annotations

from typing import Protocol

from clawgate.relay.interfaces import RequestHead

SERVICE_RESTART, POLICY_VIOLATION = 1012, 1008
"""Close codes (RFC 6455 section 7.4.1 and the IANA registry)."""
UNAUTHENTICATED_MESSAGE_BYTES = 65_536
MESSAGE_BYTES = 25 * 1024 * 1024
"""The longest message, whatever its number of fragments: ``policy.maxPayload``. A longer one closes with 1009."""
UNAUTHENTICATED_UNSENT_BYTES = 65_536
UNSENT_BYTES = 50 * 1024 * 1024
"""How much may wait for a client to read it: ``policy.maxBufferedBytes``."""
AUTHENTICATION_SECONDS = 10.0
"""From the upgrade to `Socket.authenticated`."""
REFUSED_CALLS = 5
"""The refused call with which a socket is closed."""


class Socket(Protocol):
    """One open WebSocket. May be used only on the loop; after its end every call is without effect."""

    peer: str
    """The client's address, behind trusted proxies as well."""
    remote: str
    """The address of the other end of the connection, which may be a proxy."""
    origin: str | None
    """Of the upgrade, where it is an allowed one; None without."""
    head: RequestHead
    """Of the upgrade. `Admission.identify` finds the caller by it, by ``remote`` and by the token of a message."""

    def send(self, text: bytes) -> None:
        """Send one text message, encoded as UTF-8. Never blocks.

        Closes with 1008 "slow consumer" in place of it where more than `UNSENT_BYTES` wait already.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake. No message is sent or passed on any more; `SocketHandler.closed` is called.

        ``reason`` is cut to what a close frame can hold.
        """

    def authenticated(self, caller: str) -> None:
        """The client has shown who it is: the limits of unauthenticated sockets end.

        Once the credentials of the gateway are others, the socket is closed with 4001: who it is has to be shown anew.
        """

    def refused(self) -> int:
        """Count a call that was refused for want of rights; return how many there are.

        The one that is number `REFUSED_CALLS` closes with 1008: send its error first.
        """


class SocketHandler(Protocol):
    """The protocol on one socket. All calls come from the loop and must not block it."""

    @property
    def is_busy(self) -> bool:
        """Whether the client waits for something that is under way, so that a stopping gateway waits for it."""

    def opened(self, socket: Socket) -> None:
        """The first call. The upgrade was sent."""

    def message(self, text: str) -> None:
        """The next complete text message. What is no text closes with 1003, what is no UTF-8 with 1007."""

    def stopping(self) -> None:
        """The gateway begins to stop: a last event may be sent.

        The socket is closed with 1012 "service restart" as soon as the handler is not busy, or at the drain limit.
        """

    def stopped(self) -> None:
        """The drain limit is over, and the socket is closed behind what this call sends."""

    def closed(self, code: int, reason: str) -> None:
        """The last call, exactly one for each `opened`, however the socket ended.

        ``code`` and ``reason`` are what the client sent or was sent; 1006 if the connection broke without either.
        """
