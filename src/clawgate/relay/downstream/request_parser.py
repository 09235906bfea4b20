"""Where does a request begin, where does its head end, where does it end itself? Strict, bounded, and one at a time.

A head is parsed by llhttp up to its last byte and no further, so what stands behind it is never misread; a body
whose length is known is counted, a chunked one is taken apart by `wire.http.chunked`. What uvicorn's protocol
class leaves open is closed here: sizes of head and target, transfer codings, and requests that follow before they are
wanted. It opens and writes nothing: it tells its `RequestHandler`.
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
    """What a client may take up. Sizes in bytes, times in seconds."""

    head_bytes: int = 32_768
    target_bytes: int = 8_192
    body_bytes: int = 20 * 1024 * 1024
    head_seconds: float = 30.0
    body_idle_seconds: float = 60.0
    keep_alive_seconds: float = 75.0
    connections: int = 8_192
    unauthenticated: int = 200
    """Connections on which no request was admitted yet, unfinished TLS handshakes included."""
    handshake_seconds: float = 10.0


class RequestHandler(Protocol):
    """Who is told what was read. Nothing is called back into the reader from within these."""

    def head_read(self, head: RequestHead, raw: bytes | None) -> None:
        """``raw`` are its bytes, if another request may follow."""
        ...

    def body_read(self, piece: bytes) -> None: ...
    def request_read(self) -> None: ...
    def unreadable(self, error: InvalidRequest) -> None:
        """The bytes cannot be trusted to mean one thing; the reader is not fed again."""
        ...


class RequestParser:
    """Reads the requests of one connection. `restart` before each request but the first."""

    def __init__(self, owner: RequestHandler, limits: ClientLimits) -> None:
        self._owner = owner
        self._limits = limits
        self.parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        self.last = False
        """Nothing that follows the present request may be answered."""
        self.restart()

    _left = 0  # bytes of the body that are to come, if it is not chunked
    _chunks: ChunkedBody | None = None
    _raw = b""  # the head so far
    _url = b""
    _head_parsed = False
    _upgrade = False
    _keep_alive = True
    _body_seen = False

    def restart(self) -> None:
        """The next byte begins a request."""
        self.head_bytes = 0
        self.head_done = False
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Take in one step; what belongs to a later step or a later request comes back."""
        return self._feed_body(data) if self.head_done else self._feed_head(data)

    # The head

    def _feed_head(self, data: bytes) -> bytes:
        if not self.head_bytes:
            self._begin_head()
        size = self._head_part(data)
        self.head_bytes += size
        if self.head_bytes > self._limits.head_bytes:
            self._owner.unreadable(HeadTooLarge(f"the request head is over {self._limits.head_bytes} bytes"))
            return b""
        piece = data[:size]
        self._raw += piece
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._upgrade = True
        except httptools.HttpParserError as error:
            self._owner.unreadable(MalformedRequest(f"this is not a well-formed HTTP/1.1 request ({error})"))
            return b""
        if len(self._url) > self._limits.target_bytes:
            self._owner.unreadable(
                TargetTooLong(f"the request target is over {self._limits.target_bytes} bytes")
            )
        elif self._head_parsed:
            self._hand_over()
        return data[size:]

    def _head_part(self, data: bytes) -> int:
        """How many bytes of ``data`` belong to the head, whose end may have begun in an earlier read."""
        tail = self._raw[-3:]
        end = (tail + data).find(HEAD_END)
        return len(data) if end < 0 else end + len(HEAD_END) - len(tail)

    def _begin_head(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self._raw = b""
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_parsed = False
        self._upgrade = False
        self._body_seen = False

    def take_head(self, missing: int) -> None:
        """The owner has taken a head by itself, and all of the body but ``missing`` bytes."""
        self.last = False
        self.head_done = True
        self._left = missing
        self._chunks = None

    def take_whole(self) -> None:
        """The owner has taken a whole request by itself."""
        self.last = False
        self.head_done = True
        self.complete = True

    def _hand_over(self) -> None:
        """The head is parsed: say so, and find out how its body is framed."""
        request_line = self._raw.lstrip(b"\r\n").partition(b"\r\n")[0]
        if request_line.rpartition(b" ")[2].startswith((b"RTSP/", b"ICE/")):  # llhttp knows these as well
            self._owner.unreadable(MalformedRequest("this is not a request of HTTP"))
            return
        parser = self.parser
        version = parser.get_http_version()
        method = parser.get_method()
        fields = dict(self._fields)
        wants_socket = self._upgrade and fields.get(b"upgrade", b"").lower() == b"websocket"
        # Any other upgrade may be ignored (RFC 9110 section 7.8): Java's HttpClient offers h2c on every connection.
        self.last = version != "1.1" or wants_socket or method == b"CONNECT" or not self._keep_alive
        digits = fields.get(b"content-length", b"0")
        if len(digits) > _MOST_DIGITS:
            self._owner.unreadable(MalformedRequest("the Content-Length is longer than any length"))
            return
        if self._body_seen:
            self._owner.unreadable(
                MalformedRequest("the end of the request head is not where it seems to be")
            )
            return
        chunked = b"transfer-encoding" in fields
        self._left = 0 if chunked else int(digits)
        self._chunks = ChunkedBody(self._limits.body_bytes, self._limits.head_bytes) if chunked else None
        raw = None if self.last or chunked else self._raw
        self._owner.head_read(RequestHead(method, self._url, version, self._fields, wants_socket), raw)
        self._head_is_done()

    def _head_is_done(self) -> None:
        self.head_done = True
        if self._chunks is None and not self._left:
            self._end()

    # The body

    def _feed_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        left = self._left
        size = len(data)
        if size < left:
            self._left = left - size
            self._owner.body_read(data)
            return b""
        rest = b""
        if size > left:
            data, rest = data[:left], data[left:]
        self._left = 0
        self._owner.body_read(data)
        self._end()
        return rest

    def _feed_chunks(self, chunks: ChunkedBody, data: bytes) -> bytes:
        try:
            body, rest = chunks.feed(data)
        except InvalidRequest as error:
            self._owner.unreadable(error)
            return b""
        if body:
            self._owner.body_read(body)
        if chunks.ended:
            self._end()
        return rest

    def _end(self) -> None:
        self.complete = True
        self._owner.request_read()

    # httptools callbacks

    def on_url(self, url: bytes) -> None:
        if not self._head_parsed:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_parsed:
            self._fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if not self._head_parsed:
            self._head_parsed = True
            self._keep_alive = self.parser.should_keep_alive()  # llhttp forgets at the end of a message

    def on_body(self, body: bytes) -> None:
        self._body_seen = True
