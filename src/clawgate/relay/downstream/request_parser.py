"""Parses the requests of one connection: heads by llhttp, bodies by their length or as chunks, strict and bounded.

A head is parsed up to its last byte and no further, so that what comes behind it is never misread. Must not do I/O:
a `RequestHandler` is called back. Bounds what uvicorn's protocol class does not: the sizes of head and target, the
number of headers, transfer codings, and requests that come before they are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import httptools

from clawgate.errors import HeadTooLarge, InvalidRequest, MalformedRequest, TargetTooLong
from clawgate.relay.interfaces import RequestHead
from clawgate.wire.http.chunked import ChunkedBody
from clawgate.wire.http.message import HEAD_END

_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Limits of what clients may use. Sizes in bytes, durations in seconds."""

    head_bytes: int = 32_768
    head_lines: int = 256
    """Headers of one request. Each costs a hundred bytes of memory, however short it is."""
    target_bytes: int = 8_192
    body_bytes: int = 20 * 1024 * 1024
    buffered_bytes: int = 128 * 1024 * 1024
    """Of all request bodies in memory, see `relay.exchange.body_budget`; and of what all WebSockets hold."""
    head_seconds: float = 30.0
    body_idle_seconds: float = 60.0
    body_seconds: float = 900.0
    """For a whole body, in which time that its client is kept from sending does not count."""
    body_rate: int = 500
    """The fewest bytes per second over `body_rate_seconds`, as in the documentation of Apache's mod_reqtimeout."""
    body_rate_seconds: float = 60.0
    keep_alive_seconds: float = 75.0
    connections: int = 8_192
    unauthenticated: int = 200
    """Connections on which no request was admitted yet, unfinished TLS handshakes included."""
    handshake_seconds: float = 10.0


class RequestHandler(Protocol):
    """Receives the callbacks of a `RequestParser`. Must not call the parser from within them."""

    def on_request_head(self, head: RequestHead, raw: bytes | None) -> None:
        """``raw`` are the bytes of the head if another request may follow, else None."""

    def on_request_body(self, data: bytes) -> None: ...
    def on_request_complete(self) -> None: ...
    def on_request_error(self, error: InvalidRequest) -> None:
        """The bytes are not one well-formed request. The parser must not be fed again."""


class RequestParser:
    """Parses the requests of one connection. Call `start_request` before each request but the first."""

    def __init__(self, handler: RequestHandler, limits: ClientLimits) -> None:
        self._handler = handler
        self._limits = limits
        self.parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self.is_last = False
        """Whether nothing behind the present request may be responded to."""
        self.start_request()

    body_bytes = 0
    """Bytes of the present request's body that were passed on."""
    _left = 0  # bytes of the body that are to come, if it is not chunked
    _chunks: ChunkedBody | None = None
    _raw = b""  # the head so far
    _url = b""
    _head_parsed = False
    _upgrade = False
    _keep_alive = True
    _body_seen = False

    def start_request(self) -> None:
        """The next byte begins a request."""
        self.head_bytes = 0
        self.head_done = False
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Parse one step; return the bytes of a later step or a later request."""
        return self._feed_body(data) if self.head_done else self._feed_head(data)

    # The head

    def _feed_head(self, data: bytes) -> bytes:
        if not self.head_bytes:
            self._start_head()
        size = self._size_in_head(data)
        self.head_bytes += size
        if self.head_bytes > self._limits.head_bytes:
            self._fail(HeadTooLarge(f"the request head is over {self._limits.head_bytes} bytes"))
            return b""
        piece = data[:size]
        self._raw += piece
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._upgrade = True
        except httptools.HttpParserError as error:
            self._fail(MalformedRequest(f"this is not a well-formed HTTP/1.1 request ({error})"))
            return b""
        if len(self._url) > self._limits.target_bytes:
            self._fail(TargetTooLong(f"the request target is over {self._limits.target_bytes} bytes"))
        elif len(self._fields) > self._limits.head_lines:
            self._fail(HeadTooLarge(f"the request has over {self._limits.head_lines} headers"))
        elif self._head_parsed:
            self._finish_head()
        return data[size:]

    def _fail(self, error: InvalidRequest) -> None:
        self._fields = []
        self._handler.on_request_error(error)

    def _size_in_head(self, data: bytes) -> int:
        """How many bytes of ``data`` belong to the head, whose end may have begun in an earlier read."""
        tail = self._raw[-3:]
        end = (tail + data).find(HEAD_END)
        return len(data) if end < 0 else end + len(HEAD_END) - len(tail)

    def _start_head(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self._raw = b""
        self._url = b""
        self._fields = []
        self._head_parsed = False
        self._upgrade = False
        self._body_seen = False

    def skip_head(self, missing: int) -> None:
        """The handler has read a head by itself, and all of its body but ``missing`` bytes."""
        self.is_last = False
        self.head_done = True
        self.body_bytes = 0
        self._left = missing
        self._chunks = None

    def skip_request(self) -> None:
        """The handler has read a complete request by itself."""
        self.is_last = False
        self.head_done = True
        self.complete = True

    def _finish_head(self) -> None:
        """Report the head, and find out how its body is framed."""
        request_line = self._raw.lstrip(b"\r\n").partition(b"\r\n")[0]
        if request_line.rpartition(b" ")[2].startswith((b"RTSP/", b"ICE/")):  # llhttp knows these as well
            self._fail(MalformedRequest("this is not an HTTP request"))
            return
        parser = self.parser
        version = parser.get_http_version()
        method = parser.get_method()
        headers = dict(self._fields)
        wants_socket = self._upgrade and self._lists_websocket()
        # Any other upgrade may be ignored (RFC 9110 section 7.8): Java's HttpClient offers h2c on every connection.
        self.is_last = version != "1.1" or wants_socket or method == b"CONNECT" or not self._keep_alive
        digits = headers.get(b"content-length", b"0")
        if len(digits) > _MOST_DIGITS:
            self._fail(MalformedRequest(f"the Content-Length has over {_MOST_DIGITS} digits"))
            return
        if self._body_seen:
            self._fail(MalformedRequest("the request head ends at another place than its blank line"))
            return
        chunked = b"transfer-encoding" in headers
        self.body_bytes = 0
        self._left = 0 if chunked else int(digits)
        self._chunks = ChunkedBody(self._limits.body_bytes, self._limits.head_bytes) if chunked else None
        raw = None if self.is_last or chunked else self._raw
        head = RequestHead(method, self._url, version, self._fields, wants_socket)
        self._handler.on_request_head(head, raw)
        self.head_done = True
        if self._chunks is None and not self._left:
            self._end()

    def _lists_websocket(self) -> bool:
        """Whether a WebSocket is among the protocols that the client would change to (RFC 9110 section 7.8)."""
        offers = [value for name, value in self._fields if name == b"upgrade"]
        return any(offer.strip().lower() == b"websocket" for offer in b",".join(offers).split(b","))

    # The body

    def _feed_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        left = self._left
        size = len(data)
        if size < left:
            self._left = left - size
            self.body_bytes += size
            self._handler.on_request_body(data)
            return b""
        rest = b""
        if size > left:
            data, rest = data[:left], data[left:]
        self._left = 0
        self.body_bytes += left
        self._handler.on_request_body(data)
        self._end()
        return rest

    def _feed_chunks(self, chunks: ChunkedBody, data: bytes) -> bytes:
        try:
            body, rest = chunks.feed(data)
        except InvalidRequest as error:
            self._fail(error)
            return b""
        if body:
            self.body_bytes += len(body)
            self._handler.on_request_body(body)
        if chunks.ended:
            self._end()
        return rest

    def _end(self) -> None:
        self.complete = True
        self._handler.on_request_complete()

    # httptools callbacks

    def on_url(self, url: bytes) -> None:
        if not self._head_parsed:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_parsed and len(self._fields) <= self._limits.head_lines:
            self._fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if not self._head_parsed:
            self._head_parsed = True
            self._keep_alive = self.parser.should_keep_alive()  # llhttp forgets at the end of a message

    def on_body(self, body: bytes) -> None:
        self._body_seen = True
