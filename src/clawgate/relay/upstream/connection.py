"""One connection to an upstream: passes each response to the handler of its request, byte for byte as it came.

Reads only as much as the framing needs; what becomes of a response is the handler's business, and whether the
connection may serve again is the pool's. Must not work long on one read: an upstream that sends much that means little
is read in turns, so that all connections are served alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import ssl
import struct
import termios
from typing import Protocol

from clawgate.errors import GatewayError, UpstreamClosed
from clawgate.relay.interfaces import Buffer, ChunkPassthrough, ResponseHandler
from clawgate.relay.response.chunk_passthrough import CHUNK_ENDS, chunk_prefixes
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache
from clawgate.relay.upstream.response_parser import HEAD_LIMIT, ResponseParser
from clawgate.wire.http.url import Origin

WRITE_BUFFER = 65_536
COPY_BYTES = 16_384
"""Below this, joining buffers costs less than sending several."""
TURN_BYTES = 8192
"""How much is handled of one read before other connections have their turn, where bytes may mean much work: heads,
events, and bodies in tiny chunks."""
EARLY_RESPONSE_LIMIT = 1_048_576
"""How much is read of a response in front of a reset."""


class ConnectionOwner(Protocol):
    """Who made a connection, and has to know when it comes and goes."""

    @property
    def origin(self) -> Origin: ...
    @property
    def response_heads(self) -> ResponseHeadCache: ...
    def add(self, connection: UpstreamConnection) -> None: ...
    def remove(self, connection: UpstreamConnection) -> None: ...
    def release(self, connection: UpstreamConnection, now: float) -> None:
        """The connection's response is complete."""

    def schedule_turn(self, connection: UpstreamConnection) -> None:
        """Call `UpstreamConnection.take_turn` soon, when other connections had theirs."""


class UpstreamConnection(asyncio.Protocol):
    """Serves one handler at a time. Made by the pool, for one origin and one credential."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.handler: ResponseHandler | None = None
        self._passthrough: ChunkPassthrough | None = None  # only while there is a handler
        self.idle_since = 0.0
        self.reused = False
        self.reusable = False
        self.cancelled = False
        """Whether its dial was cancelled: it must not be used."""
        self.transport: asyncio.Transport
        self._parser = ResponseParser(owner.origin)
        self._parsed = False  # the parser has to be started again before the next response
        self._at_start = True  # nothing of a response came that may be taken by its head alone
        self._readiness = select.poll()
        self._written = 0
        self._not_received = False
        self._orderly_end = False  # the peer closed as its protocol wants it
        self._backlog = b""  # what was read and waits for its turn
        self._in_turns = False  # reading is paused, and the backlog has its next turn soon
        self._reading_paused = False  # by the handler

    # For handler and pool.

    def start_response(self, handler: ResponseHandler, *, head_only: bool) -> None:
        """Pass the next response to ``handler``; ``head_only`` for HEAD, whose response has no body."""
        self.handler = handler
        self._written = 0
        self._at_start = not head_only
        if self._parsed or head_only:
            self._parser.start(head_only=head_only)
            self._parsed = head_only

    def write(self, pieces: list[Buffer]) -> None:
        """Send bytes of the request; for too many at once ``on_upstream_write_paused`` is called."""
        if len(pieces) == 1:
            self._written += len(pieces[0])
            self.transport.write(pieces[0])
            return
        size = sum(map(len, pieces))
        self._written += size
        if size < COPY_BYTES:
            self.transport.write(b"".join(pieces))
        else:
            self.transport.writelines(pieces)

    def pause_reading(self) -> None:
        self._reading_paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self._reading_paused = False
        if self._backlog:
            self._schedule_turn()
        elif not self._in_turns:
            self.transport.resume_reading()

    def release(self, now: float) -> None:
        """The response is complete: the pool decides what becomes of the connection."""
        self._owner.release(self, now)

    def abort(self) -> None:
        """End the connection at once; the handler is not called again."""
        self.handler = self._passthrough = None
        self._backlog = b""
        self.transport.abort()

    def is_stale(self) -> bool:
        """Whether an idle connection ended, is being aborted, or holds bytes that belong to no request.

        Polls the socket, because the loop reports an end one turn after it happened.
        """
        return self.transport.is_closing() or bool(self._readiness.poll(0))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        if self.cancelled:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._readiness.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._owner.add(self)

    def data_received(self, data: bytes) -> None:
        passthrough = self._passthrough
        if passthrough is not None:
            # The fast path: one chunk of complete events passes. The parser never sees it, and stays where it is.
            length = len(data)
            if data.startswith(chunk_prefixes(length)) and data.endswith(CHUNK_ENDS):
                for secret in passthrough.secrets:
                    if secret in data:
                        break
                else:
                    passthrough.last_chunk = data
                    passthrough.sent += length
                    passthrough.write(data)
                    return
            self._passthrough = None
        handler = self.handler
        if handler is None:  # bytes that belong to no request must never meet the next one
            self.reusable = False
            self.transport.abort()
            return
        if self._at_start:
            if self._complete_at_once(data, handler):
                return
            self._at_start = False
        if self._backlog:
            self._backlog += data
        elif len(data) > TURN_BYTES and self._parser.may_be_costly:
            self._backlog = data
            if self._parser.in_head or not self._parser.is_costly:
                self._parse_some(handler)
            self._continue()
        else:
            self._parse(data, handler)

    def _parse_some(self, handler: ResponseHandler) -> None:
        data, self._backlog = self._backlog[:TURN_BYTES], self._backlog[TURN_BYTES:]
        self._parse(data, handler)

    def _continue(self) -> None:
        """Handle the backlog: what costs little at once, and the rest in turns."""
        while (handler := self.handler) is not None and self._backlog and not self._reading_paused:
            if self._parser.is_costly:
                self._schedule_turn()
                return
            data, self._backlog = self._backlog, b""
            self._parse(data, handler)

    def _schedule_turn(self) -> None:
        """Handle more of the backlog in a later turn of the loop; read nothing until then."""
        if not self._in_turns:
            self._in_turns = True
            self.transport.pause_reading()
            self._owner.schedule_turn(self)

    def take_turn(self) -> None:
        """Handle some of the backlog. Called by the owner."""
        self._in_turns = False
        handler = self.handler
        if handler is None or self._reading_paused:
            return
        self._parse_some(handler)
        self._continue()
        if not self._backlog:
            self._read_again()

    def _read_again(self) -> None:
        if not (self._reading_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _parse(self, data: bytes, handler: ResponseHandler) -> None:
        """Pass on what ``data`` brings. The handler may end the connection at each call."""
        parser = self._parser
        self._parsed = True
        had_head = parser.head is not None
        parser.feed(data)
        if parser.head is not None and not had_head:
            extra_headers = handler.on_response_head(parser.head)
            if extra_headers is not None and parser.keep_alive and (raw := parser.head_in(data)):
                self._owner.response_heads.remember(raw, parser.head.status, extra_headers)
        if self.handler is handler and (body := parser.pop_body()):
            handler.on_response_body(body)
        if self.handler is not handler:
            return
        if parser.complete:
            self._finish()
        elif parser.head is not None:
            handler.on_read_complete()
        if parser.error is not None:
            self._fail(parser.error)
        elif self.handler is handler and not self._backlog and parser.is_between_chunks(data):
            self._passthrough = handler.chunk_passthrough()

    def _complete_at_once(self, data: bytes, handler: ResponseHandler) -> bool:
        """The fast path of a complete response in one read, with a head that was seen before."""
        for pattern in self._owner.response_heads:
            match = pattern.match(data)
            if match is not None:
                self.handler = None
                self.reusable = True
                if handler.on_complete_response(pattern.status, match[0], data[match[1] :]):
                    return True
                self.handler = handler
                return False
        return False

    def eof_received(self) -> bool:
        if self._parser.in_head and self.reused:
            self._not_received = self._request_unacknowledged()
        self._orderly_end = self._is_orderly_end()
        return False

    def _is_orderly_end(self) -> bool:
        """Whether an EOF may end a body. Over TLS only behind a close_notify, without which anyone on the way could
        have cut the connection (RFC 9112 section 9.8).

        uvloop reports no EOF without a close_notify, asyncio does.
        """
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        if tls is None or not self._parser.until_close:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._owner.remove(self)
        parser = self._parser
        while self._backlog and (handler := self.handler) is not None:
            data, self._backlog = self._backlog, b""
            self._parse(data, handler)
        if self.handler is None:  # idle, or a TLS handshake that failed: then there was no connection_made
            return
        if exc is not None and parser.in_head:
            self._read_early_response()
        if parser.until_close and self._orderly_end and exc is None:
            parser.complete = True
            self._finish()
            return
        when = "before it responded" if parser.in_head else "in the middle of its response"
        how = "reset" if isinstance(exc, ConnectionError) else "closed"
        self._fail(
            UpstreamClosed(f"{self._owner.origin} {how} the connection {when}"),
            not_received=self._not_received,
        )

    def pause_writing(self) -> None:
        if self.handler is not None:
            self.handler.on_upstream_write_paused()

    def resume_writing(self) -> None:
        if self.handler is not None:
            self.handler.on_upstream_write_resumed()

    # How a response ends.

    def _finish(self) -> None:
        handler, self.handler = self.handler, None
        parser = self._parser
        stray, self._backlog = self._backlog, b""
        self.reusable = (
            parser.keep_alive and parser.error is None and not stray and not self.transport.is_closing()
        )
        if handler is not None:
            handler.on_response_complete()

    def _fail(self, error: GatewayError, *, not_received: bool = False) -> None:
        handler, self.handler = self.handler, None
        self._backlog = b""
        self.reusable = False
        self.transport.abort()
        if handler is not None:
            handler.on_upstream_error(
                error, no_response=self._parser.head_bytes == 0, not_received=not_received
            )

    def _read_early_response(self) -> None:
        """Read an early response that the kernel still holds: our write ran into the reset behind it
        (RFC 9112 section 9.5)."""
        if self.transport.get_extra_info("ssl_object") is not None:
            return
        fd = self.transport.get_extra_info("socket").fileno()
        count = 0
        with contextlib.suppress(OSError):
            while (handler := self.handler) is not None and count < EARLY_RESPONSE_LIMIT:
                if not (data := os.read(fd, HEAD_LIMIT)):
                    return
                count += len(data)
                self._parse(data, handler)

    def _request_unacknowledged(self) -> bool:
        """Whether the kernel still holds every byte of the request, unacknowledged (TIOCOUTQ, tcp(7))."""
        fd = self.transport.get_extra_info("socket").fileno()
        try:
            held: int = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except OSError:
            return False
        return held + self.transport.get_write_buffer_size() >= self._written > 0
