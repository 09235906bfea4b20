"""A head says what is known of the body, and nothing of it is copied."""

from __future__ import annotations

import pytest

from clawgate.relay.response.head import NOT_STORED, Framing, encode_head, header_lines, is_event_stream
from tests.peers.faults import LAST_CHUNK
from tests.relay.response.streams import NAMES, SECRET, response_head, response_options


@pytest.mark.parametrize(
    ("framing", "line", "framed", "end"),
    [
        (Framing(None, http10=False), b"transfer-encoding: chunked\r\n", b"2\r\nab\r\n", LAST_CHUNK),
        (Framing(None, http10=True), b"", b"ab", b""),
        (Framing(2, http10=False), b"content-length: 2\r\n", b"ab", b""),
        (Framing(0, http10=True), b"content-length: 0\r\n", b"ab", b""),
        (Framing(None, http10=False, bodiless=True), b"", b"ab", b""),
    ],
)
def test_framing_says_how_a_body_ends(framing: Framing, line: bytes, framed: bytes, end: bytes) -> None:
    assert (framing.line(), framing.frame(b"ab"), framing.end()) == (line, framed, end)


def test_an_empty_piece_is_no_last_chunk() -> None:
    """It would end the message, and what follows would be read as the next response."""
    assert Framing(None, http10=False).frame(b"") == b""


@pytest.mark.parametrize(
    ("framing", "close", "announced"),
    [
        (Framing(None, http10=True), False, True),
        (Framing(2, http10=False), True, True),
        (Framing(2, http10=False), False, False),
        (Framing(None, http10=True, bodiless=True), False, False),
    ],
)
def test_the_end_of_the_connection_is_announced(framing: Framing, close: bool, announced: bool) -> None:
    head = encode_head(200, b"a: b\r\n", framing, close=close)
    assert head.startswith(b"HTTP/1.1 200 OK\r\na: b\r\n") and head.endswith(b"\r\n\r\n")
    assert (b"connection: close\r\n" in head) is announced and b"x-accel-buffering" not in head


def test_a_stream_is_not_buffered_by_a_proxy_in_front() -> None:
    assert b"x-accel-buffering: no\r\n" in encode_head(
        200, b"", Framing(None, http10=False), close=False, event_stream=True
    )


def test_headers_are_those_that_a_client_may_see() -> None:
    """Without a credential, a cookie, or attribution that is not the gateway's own."""
    lines = header_lines(
        response_head(),
        response_options(),
        without=(b"content-type",),
        renamed={b"request-id": b"x-request-id"},
    )
    assert (
        lines == b"x-request-id: r1\r\nopenai-version: " + b"*" * len(SECRET) + b"\r\n" + NAMES + NOT_STORED
    )


@pytest.mark.parametrize(
    ("content_type", "encoded", "expected"),
    [
        (b"text/event-stream", False, True),
        (b"Text/Event-Stream; charset=utf-8", False, True),
        (b"text/event-stream", True, False),
        (b"application/json", False, False),
    ],
)
def test_an_event_stream_is_one_that_can_be_read(content_type: bytes, encoded: bool, expected: bool) -> None:
    assert is_event_stream(response_head(content_type=content_type, encoded=encoded)) is expected
