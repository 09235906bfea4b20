"""Where a response begins and ends, however it is cut; what is malformed is an error, and never raised."""

from __future__ import annotations

import pytest

from clawgate.relay.upstream.response_parser import HEAD_LIMIT, ResponseParser
from tests.relay.fakes import OK, ORIGIN, STREAM_HEAD, chunked, slices

SIZES = pytest.mark.parametrize("size", [1, 2, 7, 100, 100_000])


def parsed(data: bytes, size: int = 100_000, *, head_only: bool = False) -> tuple[ResponseParser, bytes]:
    """The parser behind ``data``, and the content that it found."""
    parser, body = ResponseParser(ORIGIN), b""
    parser.start(head_only=head_only)
    for piece in slices(data, size):
        parser.feed(piece)
        body += parser.pop_body()
    return parser, body


@SIZES
def test_a_body_with_a_length_is_complete_behind_its_last_byte(size: int) -> None:
    parser, body = parsed(OK, size)
    assert (parser.complete, parser.keep_alive, parser.until_close) == (True, True, False)
    assert body == b'{"ok":1}' and parser.error is None and parser.head is not None
    assert (parser.head.status, parser.head.length, parser.head.chunked) == (200, 8, False)
    assert parser.head.content_type == b"application/json" and not parser.is_event_stream
    assert not parsed(OK[:-1], size)[0].complete


@SIZES
def test_a_chunked_body_is_complete_behind_its_last_chunk(size: int) -> None:
    parser, body = parsed(STREAM_HEAD + chunked(b"data: a\n\n", b"data: b\n\n", b""), size)
    assert parser.complete and parser.keep_alive and body == b"data: a\n\ndata: b\n\n"
    assert parser.is_event_stream and parser.head is not None and parser.head.length is None


@SIZES
def test_a_body_without_framing_ends_with_the_connection(size: int) -> None:
    parser, body = parsed(b"HTTP/1.1 200 OK\r\n\r\nabc", size)
    assert (parser.complete, parser.until_close, parser.keep_alive, body) == (False, True, False, b"abc")


@pytest.mark.parametrize(
    ("head", "head_only"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", True),
    ],
)
def test_some_responses_have_no_body(head: bytes, head_only: bool) -> None:
    parser, body = parsed(head, head_only=head_only)
    assert parser.complete and body == b"" and parser.keep_alive is not head_only


@SIZES
def test_interim_responses_are_skipped_and_counted(size: int) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    parser, body = parsed(interim * 3 + OK, size)
    assert parser.complete and body == b'{"ok":1}' and parser.head is not None
    assert [name for name, _ in parser.head.headers] == [b"content-type", b"content-length"]
    assert parser.head_bytes >= len(interim) * 3


@SIZES
def test_the_next_response_begins_anew(size: int) -> None:
    parser, _ = parsed(STREAM_HEAD + chunked(b"data: a\n\n", b""), size)
    parser.start(head_only=False)
    assert (parser.head, parser.complete, parser.head_bytes, parser.is_event_stream) == (
        None,
        False,
        0,
        False,
    )
    for piece in slices(OK, size):
        parser.feed(piece)
    assert parser.complete and parser.error is None


@pytest.mark.parametrize("size", [1, 7, 100, 8192])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "did not respond in HTTP/1.1"),
        (b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", "did not respond in HTTP/1.1"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "switched protocols"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "cannot be forwarded"),
        (b"HTTP/1.1 200 OK\r\nx: %b\r\n\r\n" % (b"y" * (HEAD_LIMIT + 1000)), "head of over"),
        (b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\n" * 3000, "head of over"),
        (STREAM_HEAD + b"1;%b\r\nx\r\n" % (b"y" * 900) * 100, "framing exceeds its content"),
    ],
)
def test_what_is_malformed_is_an_error(data: bytes, reason: str, size: int) -> None:
    parser, _ = parsed(data, size)
    assert parser.error is not None and reason in parser.error.message and str(ORIGIN) in parser.error.message


def test_a_second_response_in_the_same_read_is_an_error() -> None:
    parser, body = parsed(OK + OK)
    assert parser.complete and body == b'{"ok":1}'
    assert parser.error is not None and "more than one response" in parser.error.message


def test_a_body_in_chunks_of_one_byte_is_costly_and_not_malformed() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    parser, body = parsed(head + chunked(b"x") * 50_000, 60_010)
    assert parser.error is None and len(body) == 50_000 and parser.is_costly
    parser, _ = parsed(head + chunked(b"x" * 100_000))
    assert not parser.is_costly and parser.may_be_costly
    assert not parsed(OK)[0].may_be_costly


@pytest.mark.parametrize(
    ("tail", "between"),
    [
        (b"", True),
        (b"9", False),
        (b"9\r\n", False),
        (b"9\r\ndata: b\n\n", False),
        (b"9\r\ndata: b\n\n\r\n", True),
    ],
)
def test_it_knows_whether_it_is_between_two_chunks(tail: bytes, between: bool) -> None:
    parser = ResponseParser(ORIGIN)
    data = STREAM_HEAD + chunked(b"data: a\n\n") + tail
    parser.feed(data)
    assert parser.is_between_chunks(data) is between


def test_the_bytes_of_a_head_are_known_if_it_came_in_the_first_read() -> None:
    parser, _ = parsed(OK)
    assert parser.head_in(OK) == OK.removesuffix(b'{"ok":1}')
    parser.start(head_only=False)
    for piece in slices(OK, 40):
        parser.feed(piece)
    assert parser.head_in(OK[-40:]) == b""
