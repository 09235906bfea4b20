"""Interfaces between an exchange, its client connection and its upstream connection.

Must not import their implementations: each part knows the others only by what is written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from clawgate.errors import GatewayError
from clawgate.policy.headers import Headers
from clawgate.policy.timeouts import TimeLimits

Buffer = bytes | memoryview
"""Bytes of a message in transit; a memoryview where copying them would cost more."""


@dataclass(slots=True)
class RequestHead:
    """The head of one request as it was parsed. Header names are in lower case.

    ``wants_socket`` is True for an upgrade to WebSocket.
    """

    method: bytes
    target: bytes
    version: str
    fields: list[tuple[bytes, bytes]]
    wants_socket: bool = False


@dataclass(slots=True)
class ResponseHead:
    """The head of a final response. ``length`` is None if the body is chunked or ends with the connection."""

    status: int
    headers: Headers
    length: int | None
    chunked: bool
    content_type: bytes
    encoded: bool


class ChunkPassthrough:
    """Forwards complete SSE chunks without parsing them, see `relay.response.chunk_passthrough`.

    The upstream connection writes a chunk, adds its size to ``sent`` and keeps it in ``last_chunk``.
    """

    __slots__ = ("last_chunk", "secrets", "sent", "write")

    def __init__(self, write: Callable[[bytes], None], secrets: tuple[bytes, ...]) -> None:
        self.write = write
        self.secrets = secrets
        """A chunk that contains one of these must not be forwarded."""
        self.sent = 0
        """Bytes forwarded so far, chunk framing included."""
        self.last_chunk = b""
        """The last forwarded chunk. Only its events can still matter to how the stream may end."""

    @property
    def last_content(self) -> bytes:
        return self.last_chunk[self.last_chunk.find(b"\r\n") + 2 : -2]


class ResponseHandler(Protocol):
    """Receives the callbacks of one response.

    Either `on_complete_response` alone, or `on_response_head`, then `on_response_body` and `on_read_complete` any
    number of times, then `on_response_complete`. `on_upstream_error` may come at any time and is the last call.
    """

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        """A complete response, with the head already encoded for the client. False: deliver it piece by piece."""

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        """The head of the response.

        Returns the header lines that were added for the client if later responses with a head of the same pattern
        may come through `on_complete_response`; None if each has to be checked.
        """

    def on_response_body(self, body: bytes) -> None: ...
    def on_read_complete(self) -> None:
        """All callbacks of one read from the socket were made: flush."""

    def chunk_passthrough(self) -> ChunkPassthrough | None:
        """Called between two chunks. Returns a passthrough, or None to keep receiving `on_response_body`."""

    def on_response_complete(self) -> None: ...
    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
        """The connection failed before the response was complete.

        ``no_response``: not a byte of a response arrived; ``not_received``: the upstream cannot have received the
        request.
        """

    def on_upstream_write_paused(self) -> None:
        """The upstream reads more slowly than the request is written."""

    def on_upstream_write_resumed(self) -> None: ...


class Connection(Protocol):
    """A connection to an upstream as its exchange uses it: for one request, then it is given back or aborted."""

    reused: bool
    """Whether it served a request before, so that its peer may have closed it unseen."""
    reusable: bool
    """Whether it may serve another request."""

    def start_response(self, handler: ResponseHandler, *, head_only: bool) -> None:
        """Pass the next response to ``handler``; ``head_only`` for HEAD, whose response has no body."""

    def write(self, pieces: list[Buffer]) -> None:
        """Send bytes of the request; for too many at once ``on_upstream_write_paused`` is called."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def release(self, now: float) -> None:
        """The response is complete."""

    def abort(self) -> None:
        """End the connection at once; the handler is not called again."""


class ConnectionWaiter(Protocol):
    """Who requested a connection. One of the two is called, once, and not within `ConnectionSource.request`."""

    def on_connection(self, connection: Connection) -> None: ...
    def on_connect_failed(self, error: Exception) -> None: ...


class PendingConnection(Protocol):
    """One request for a connection, until its waiter is called or it is cancelled."""

    @property
    def dial_started_at(self) -> float | None:
        """When the dial began; None while the request waits for one to become free."""

    def cancel(self) -> None:
        """Give up: the waiter is not called any more."""

    def expired(self, now: float) -> GatewayError | None:
        """Return the error of a request that has waited for too long."""


class ConnectionSource(Protocol):
    """The connections to one upstream."""

    def acquire(self) -> Connection | None:
        """Return a connection that can be used at once, or None if one must be requested."""

    def request(
        self,
        waiter: ConnectionWaiter,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        now: Callable[[], float],
        target: str = "",
    ) -> PendingConnection:
        """Get ``waiter`` a connection, for a request to ``target``."""


class UpstreamSide(Protocol):
    """An upstream as seen by an exchange: a server, or a part of this process."""

    @property
    def name(self) -> bytes: ...
    @property
    def origin(self) -> object:
        """How messages name it, as a text."""

    @property
    def limits(self) -> TimeLimits: ...
    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What no response may repeat to a client."""

    @property
    def credential_advice(self) -> str:
        """What to do if the credential is rejected."""

    @property
    def operator_status(self) -> int | None:
        """The status of failures that only the operator can fix; None for that of each."""

    @property
    def pool(self) -> ConnectionSource: ...


class ResponseProgress:
    """What arrived of a response, for time limits. Keep-alive comments and pings of an event stream are no content."""

    __slots__ = ("_progressed", "content_started", "keepalive_bytes")

    def __init__(self, *, content_started: bool) -> None:
        self.content_started = content_started
        self._progressed = False
        self.keepalive_bytes = 0
        """Bytes of comments and pings since the last content."""

    def note_content(self) -> None:
        self.content_started = self._progressed = True
        self.keepalive_bytes = 0

    def has_progressed(self) -> bool:
        """Whether content arrived since the last call."""
        progressed, self._progressed = self._progressed, False
        return progressed


class ResponseWriter(Protocol):
    """Encodes one response for one client: `feed` takes the upstream's body, `flush` returns what can be sent."""

    @property
    def status(self) -> int: ...
    @property
    def progress(self) -> ResponseProgress: ...
    @property
    def held_bytes(self) -> int:
        """How much of the response waits here for the rest of it."""

    @property
    def until_close(self) -> bool:
        """Whether the body ends with the connection (HTTP/1.0 clients)."""

    @property
    def defers_status(self) -> bool:
        """Whether the status is known only at the end, when the complete response is sent."""

    @property
    def extra_headers(self) -> bytes | None:
        """What `ResponseHandler.on_response_head` returns."""

    @property
    def failure(self) -> GatewayError | None:
        """The error that a complete response reports in place of the upstream's; recorded as the exchange's own."""

    @property
    def headers_pending(self) -> bool:
        """Whether nothing was sent to the client yet, so that a failure can still have a status of its own."""

    def feed(self, body: bytes) -> None:
        """Add bytes of the upstream's body. Raises `UpstreamFailed` if they cannot be understood."""

    def flush(self, *, ended: bool) -> bytes:
        """Return what is to be sent now. Raises as `feed`; with ``ended`` also if the response is not complete."""

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """Return a passthrough for the next chunks, or None if each chunk must go through `feed`."""

    def on_silence(self, seconds: float) -> bytes:
        """Return what shows a client that waits that all is well, now that it was sent nothing for ``seconds``.

        Raises as `feed`.
        """

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        """Return the last bytes of a response that cannot be completed, and whether they contain an error event.

        Where they do not, only the broken transfer shows the client that something is missing.
        """


class ClientConnection(Protocol):
    """The client connection as seen by an exchange."""

    http10: bool

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def must_close(self) -> bool:
        """Whether the response has to announce the end of the connection."""

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        """Send an error response in place of one that has not started, with the attribution headers ``names``.

        Ends the exchange; returns the bytes sent.
        """

    def response_complete(self) -> None:
        """The response is complete: the connection may serve the next request."""

    def abort_response(self, error: GatewayError, *, at_once: bool, reported: bool) -> None:
        """Close the connection so that the response looks cut; ``at_once``: without sending what is buffered.

        ``reported``: an error event was sent, which the client gets time to read first.
        """
