"""One connection to an upstream: tells where each answer starts and ends, and hands its bytes on as they came.

It parses only to know the framing; whose request it serves and what becomes of the answer is the handler's
business, and whether the connection may serve again is the pool's.
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

import httptools

from clawgate.errors import GatewayError, UpstreamClosed, UpstreamMalformed
from clawgate.relay.interfaces import Buffer, ChunkPassthrough, ResponseHandler, ResponseHead
from clawgate.relay.response.chunk_passthrough import CHUNK_ENDS, chunk_prefixes
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache
from clawgate.wire.http.message import HEAD_END
from clawgate.wire.http.url import Origin

HEAD_LIMIT = 65_536
"""Bytes of an answer's head. Larger than what clients may send: upstreams add many rate-limit fields."""
WRITE_BUFFER = 65_536
COPY_BYTES = 16_384
"""Below this, joining buffers costs less than sending several."""
_FRAMING_A_BYTE = 6  # a chunk of one byte takes five


class ConnectionOwner(Protocol):
    """Who made a connection, and has to know when it comes and goes."""

    @property
    def origin(self) -> Origin: ...
    @property
    def response_heads(self) -> ResponseHeadCache: ...
    def add(self, connection: UpstreamConnection) -> None: ...
    def remove(self, connection: UpstreamConnection) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """Serves one handler at a time. Made by the pool, for one origin and one credential."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.handler: ResponseHandler | None = None
        self._passthrough: ChunkPassthrough | None = None  # only while there is a handler
        self.idle_since = 0.0
        self.reused = False
        self.reusable = False
        self.cancelled = False  # whoever dialled has given up
        self.transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._readiness = select.poll()
        self._written = 0
        self._not_received = False
        self._head_only = False
        self._reset_answer()

    def _reset_answer(self) -> None:
        self._untouched = True  # no byte of the answer has been parsed
        self._first = b""  # the answer's first read, while it is being parsed
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._framing = 0  # bytes of a chunked body that are not its content
        self._in_head = True
        self._interim = False
        self._ended = False
        self._chunk_ended = False  # the last that the parser spoke of was the end of a chunk
        self._until_close = False
        self._orderly_end = False  # the peer closed as its protocol wants it
        self._trouble: UpstreamMalformed | None = None

    # What the handler calls.

    def start_response(self, handler: ResponseHandler, *, head_only: bool) -> None:
        """Take the next answer for ``handler``; ``head_only`` for HEAD, whose answer has no body."""
        self.handler = handler
        self._head_only = head_only
        self._written = 0
        if not self._untouched:
            self._reset_answer()

    def write(self, pieces: list[Buffer]) -> None:
        """Send bytes of the request; too many at once are announced by ``on_upstream_write_paused``."""
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

    def abort(self) -> None:
        """End the connection at once, whatever is under way; the handler hears no more."""
        self.handler = self._passthrough = None
        self.transport.abort()

    def is_stale(self) -> bool:
        """Whether an idle connection ended, is being aborted, or holds bytes that no request asked for.

        Asks the socket, because the loop reports an end one turn after it happened.
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
        if handler is None:  # an answer without a request: never let it meet the next one
            self.reusable = False
            self.transport.abort()
            return
        if self._untouched:
            if not self._head_only and self._take_whole(data, handler):
                return
            self._untouched = False
            self._first = data
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._trouble = UpstreamMalformed(f"{self._owner.origin} switched protocols without being asked")
        except httptools.HttpParserError as error:
            self._trouble = UpstreamMalformed(f"{self._owner.origin} did not answer in HTTP/1.1 ({error})")
        if self._in_head and self._head_bytes > HEAD_LIMIT and self._trouble is None:
            self._trouble = self._head_too_large()
        self._first = b""
        # The size line of a next chunk, were it here, would have been the last thing that the parser spoke of; the
        # beginning of one could be, and that does not end like a line.
        between_chunks = self._chunk_ended and data.endswith(b"\r\n")
        self._framing = max(self._framing, 0)
        if self._framing > HEAD_LIMIT and self._trouble is None and not self._ended:
            self._trouble = UpstreamMalformed(f"{self._owner.origin} sends more framing than content")
        if not self._serves(handler):
            return  # it gave up while it was being told
        if self._ended:
            self._finish()
        elif not self._in_head:
            handler.on_read_complete()
        if self._trouble is not None:
            self._fail(self._trouble)
        elif between_chunks and self._serves(handler):
            self._passthrough = handler.chunk_passthrough()

    def _head_too_large(self) -> UpstreamMalformed:
        return UpstreamMalformed(f"{self._owner.origin} sent an answer head of over {HEAD_LIMIT} bytes")

    def _serves(self, handler: ResponseHandler) -> bool:
        return self.handler is handler

    def _take_whole(self, data: bytes, handler: ResponseHandler) -> bool:
        """The short way: a whole answer of a known shape, handed over in one piece."""
        for shape in self._owner.response_heads:
            found = shape.match(data)
            if found is not None:
                self.handler = None
                self.reusable = True
                if handler.on_complete_response(shape.status, found[0], data[found[1] :]):
                    return True
                self.handler = handler
                return False
        return False

    def eof_received(self) -> bool:
        if self._in_head and self.reused:
            self._not_received = self._nothing_was_heard()
        self._orderly_end = self._is_orderly_end()
        return False

    def _is_orderly_end(self) -> bool:
        """Whether an EOF may end a body. Over TLS only behind a close_notify, without which anyone on the way could
        have cut the connection (RFC 9112 section 9.8).

        uvloop reports no EOF without a close_notify, asyncio does.
        """
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        if tls is None or not self._until_close:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._owner.remove(self)
        if exc is not None and self._in_head:
            self._hear_what_came_before()
        if self.handler is None:
            return
        if self._until_close and self._orderly_end and exc is None:
            self._ended = True
            self._finish()
            return
        when = "before it answered" if self._in_head else "in the middle of its answer"
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

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._ended:
            self._trouble = UpstreamMalformed(f"{self._owner.origin} sent more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._ended or self.handler is None:
            return
        if not self._parser.get_http_version().startswith("1."):
            self._trouble = UpstreamMalformed(f"{self._owner.origin} did not answer in HTTP/1.1")
            return
        if len(self._first) > HEAD_LIMIT and self._first.find(HEAD_END) > HEAD_LIMIT:  # all of it in one read
            self._trouble = self._head_too_large()
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._interim = True
            return
        fields = dict(self._headers)
        length = fields.get(b"content-length")
        coding = fields.get(b"transfer-encoding")
        bodiless = self._head_only or status in (204, 304)
        if coding is not None and (coding.lower() != b"chunked" or length is not None):
            self._trouble = UpstreamMalformed(
                f"{self._owner.origin} framed its answer in a way that cannot be passed on"
            )
            return
        self._in_head = False
        self._until_close = length is None and coding is None and not bodiless
        self.reusable = self._parser.should_keep_alive() and not self._until_close
        extra_headers = self.handler.on_response_head(
            ResponseHead(
                status=status,
                headers=self._headers,
                length=0 if bodiless and length is None else int(length) if length is not None else None,
                chunked=coding is not None,
                content_type=fields.get(b"content-type", b""),
                encoded=fields.get(b"content-encoding", b"identity").lower() != b"identity",
            )
        )
        if extra_headers is not None and self.reusable and self._first:
            end = self._first.find(HEAD_END) + len(HEAD_END)
            self._owner.response_heads.remember(self._first[:end], status, extra_headers)
        if self._head_only:  # the parser would wait for the body that the head announces
            self._ended, self.reusable = True, False

    def on_body(self, body: bytes) -> None:
        if self.handler is not None and not self._ended and self._trouble is None:
            self._framing -= len(body) * _FRAMING_A_BYTE
            self.handler.on_response_body(body)

    def on_chunk_header(self) -> None:
        self._chunk_ended = False

    def on_chunk_complete(self) -> None:
        self._chunk_ended = True

    def on_message_complete(self) -> None:
        if self._interim:
            head_bytes = (
                self._head_bytes
            )  # counted on: interim responses are bounded, and a response has begun
            self._reset_answer()
            self._untouched, self._head_bytes = False, head_bytes
        elif not self._in_head:
            self._ended = True

    # How an answer ends

    def _finish(self) -> None:
        handler, self.handler = self.handler, None
        self.reusable = self.reusable and self._trouble is None and not self.transport.is_closing()
        if handler is not None:
            handler.on_response_complete()

    def _fail(self, error: GatewayError, *, not_received: bool = False) -> None:
        handler, self.handler = self.handler, None
        self.reusable = False
        self.transport.abort()
        if handler is not None:
            handler.on_upstream_error(error, no_response=self._head_bytes == 0, not_received=not_received)

    def _hear_what_came_before(self) -> None:
        """Read an early answer that the kernel still holds: our write ran into the reset behind it
        (RFC 9112 section 9.5)."""
        if self.transport.get_extra_info("ssl_object") is not None:
            return
        self._untouched = False  # not the short way: this connection serves nobody again
        fd = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while self.handler is not None and (data := os.read(fd, HEAD_LIMIT)):
                self.data_received(data)

    def _nothing_was_heard(self) -> bool:
        """Whether the kernel still holds every byte of the request, unacknowledged (TIOCOUTQ, tcp(7))."""
        fd = self.transport.get_extra_info("socket").fileno()
        try:
            held: int = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except OSError:
            return False
        return held + self.transport.get_write_buffer_size() >= self._written > 0
