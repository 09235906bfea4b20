"""Parses the responses of one upstream connection with llhttp, as far as their framing needs it.

Pure: `feed` it what was read, then look at what it brought. Bodies stay as they came; it must not decode or collect
them. Memory and work of one call are bounded by the bytes that were fed.
"""

from __future__ import annotations

import httptools

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseHead
from clawgate.wire.http.message import HEAD_END
from clawgate.wire.http.url import Origin

HEAD_LIMIT = 65_536
"""Bytes of a response's head, interim responses in front of it included. Larger than what clients may send: upstreams
add many rate-limit headers."""
_FRAMING_PER_BYTE = 6  # a chunk of one byte takes five bytes more
_DENSE_CHUNKS = 256  # in one call; llhttp and we take about 1 us for each


class ResponseParser:
    """The responses of one connection, one after the other; `start` before each."""

    __slots__ = (
        "_chunk_count",
        "_chunk_ended",
        "_data",
        "_framing_bytes",
        "_head_only",
        "_headers",
        "_interim",
        "_llhttp",
        "_origin",
        "_pieces",
        "_until_close",
        "complete",
        "error",
        "head",
        "head_bytes",
        "in_head",
        "is_event_stream",
        "keep_alive",
    )

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._llhttp = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._data = b""
        self.start(head_only=False)

    def start(self, *, head_only: bool) -> None:
        """Expect the next response; ``head_only`` for HEAD, whose response has no body."""
        self._head_only = head_only
        self.head_bytes = 0
        self.is_event_stream = False
        self.error: UpstreamMalformed | None = None
        """What is wrong with the response."""
        self._framing_bytes = 0  # of a chunked body, weighed against its content
        self._chunk_count = 0
        self._reset_head()

    def _reset_head(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._interim = False
        self._chunk_ended = False  # llhttp reported the end of a chunk last
        self._until_close = False
        self.head: ResponseHead | None = None
        """The head, once it is complete."""
        self.in_head = True
        self.complete = False
        """Whether the response has come to its end."""
        self.keep_alive = False
        """Whether the connection may serve another request after a response that ended in order."""

    def feed(self, data: bytes) -> None:
        """Parse ``data``; nothing is raised, see `error`."""
        self._data = data
        self._chunk_count = 0
        if self.in_head:
            self.head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("switched protocols, which was not requested")
        except httptools.HttpParserError as error:
            self._fail(f"did not respond in HTTP/1.1 ({error})")
        self._data = b""
        if self.in_head and self.head_bytes > HEAD_LIMIT:
            self._fail(f"sent a response head of over {HEAD_LIMIT} bytes")
        self._framing_bytes = max(self._framing_bytes, 0)
        if self._framing_bytes > HEAD_LIMIT and not self.complete:
            self._fail("sent an invalid chunked response: its framing exceeds its content")

    def pop_body(self) -> bytes:
        """Return the content that the last `feed` brought."""
        pieces = self._pieces
        if not pieces:
            return b""
        self._pieces = []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def head_in(self, data: bytes) -> bytes:
        """Return the head's bytes, if ``data`` is the first read of a response and contains all of it."""
        if self.head_bytes != len(data):
            return b""
        end = data.find(HEAD_END)
        return data[: end + len(HEAD_END)] if end >= 0 else b""

    @property
    def until_close(self) -> bool:
        return self._until_close

    @property
    def is_costly(self) -> bool:
        """Whether what comes next may take much work for its bytes: a head, events, tiny chunks as they came last."""
        return self.in_head or self.is_event_stream or self._chunk_count > _DENSE_CHUNKS

    @property
    def may_be_costly(self) -> bool:
        """As `is_costly`, before it is known how large the chunks are."""
        return self.is_costly or (self.head is not None and self.head.chunked)

    def is_between_chunks(self, data: bytes) -> bool:
        """Whether a chunk ended with ``data``, which was fed last.

        The size line of a next chunk, were it here, would have been reported last; the beginning of one could be here,
        but that does not end like a line.
        """
        return self._chunk_ended and data.endswith(b"\r\n")

    def _fail(self, what: str) -> None:
        if self.error is None:
            self.error = UpstreamMalformed(f"{self._origin} {what}")

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self.complete:
            self._fail("sent more than one response")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.complete or self.error is not None:
            return
        if not self._llhttp.get_http_version().startswith("1."):
            self._fail("did not respond in HTTP/1.1")
            return
        behind_head = 0  # of what was fed
        if self.head_bytes > HEAD_LIMIT:
            behind_head = len(self._data) - self._data.find(HEAD_END) - len(HEAD_END)
        if self.head_bytes - behind_head > HEAD_LIMIT:
            self._fail(f"sent a response head of over {HEAD_LIMIT} bytes")
            return
        status = self._llhttp.get_status_code()
        if status < 200:
            self._interim = True
            return
        headers = dict(self._headers)
        length = headers.get(b"content-length")
        coding = headers.get(b"transfer-encoding")
        bodiless = self._head_only or status in (204, 304)
        if coding is not None and (coding.lower() != b"chunked" or length is not None):
            self._fail("framed its response in a way that cannot be forwarded")
            return
        self.in_head = False
        self._until_close = length is None and coding is None and not bodiless
        self.keep_alive = self._llhttp.should_keep_alive() and not self._until_close
        content_type = headers.get(b"content-type", b"")
        self.is_event_stream = content_type[:17].lower() == b"text/event-stream"
        self.head = ResponseHead(
            status=status,
            headers=self._headers,
            length=0 if bodiless and length is None else int(length) if length is not None else None,
            chunked=coding is not None,
            content_type=content_type,
            encoded=headers.get(b"content-encoding", b"identity").lower() != b"identity",
        )
        if self._head_only:  # llhttp would wait for the body that the head announces
            self.complete, self.keep_alive = True, False

    def on_body(self, body: bytes) -> None:
        if not self.complete and self.error is None:
            self._framing_bytes -= len(body) * _FRAMING_PER_BYTE
            self._pieces.append(body)

    def on_chunk_header(self) -> None:
        self._chunk_count += 1
        self._chunk_ended = False

    def on_chunk_complete(self) -> None:
        self._chunk_ended = True

    def on_message_complete(self) -> None:
        if self._interim:
            self._reset_head()
        elif not self.in_head:
            self.complete = True
