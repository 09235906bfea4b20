"""A chunked body is read to its last byte and no further, in any pieces, and refused where readers could differ."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.errors import BodyTooLarge, InvalidRequest, MalformedRequest
from clawgate.wire.http.chunked import ChunkedBody

END = b"0\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


def read(data: bytes, *, size: int = 1 << 20, limit: int = 1000, framing: int = 500) -> tuple[bytes, bytes]:
    """The content and what is behind it, fed in pieces of ``size``."""
    body = ChunkedBody(limit, framing)
    content = b""
    for at in range(0, len(data), size):
        piece, rest = body.feed(data[at : at + size])
        content += piece
        if body.ended:
            return content, rest + data[at + size :]
        assert rest == b""
    raise AssertionError("it has no end")


FINE = {
    "one": (b"5\r\nhello\r\n" + END, b"hello"),
    "two": (b"1\r\nh\r\n4\r\nello\r\n" + END, b"hello"),
    "upper-and-zeros": (b"00A\r\n0123456789\r\n" + END, b"0123456789"),
    "content-like-framing": (b"7\r\n0\r\n\r\nxy\r\n" + END, b"0\r\n\r\nxy"),
    "extensions": (b'5;a=b;c="d e\\"f";g\r\nhello\r\n0;z\r\n\r\n', b"hello"),
    "trailers": (b"5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n", b"hello"),
    "nothing": (END, b""),
}
BROKEN = [
    b"5;\r\nhello", b"5;=b\r\nhello", b"5;a=\r\nhello", b"5;a b\r\nhello", b'5;a="b\r\nhello', b"5;a;;b\r\nhello",
    b"5 ;a\r\n",
    b"\r\n", b"g\r\n", b"0x5\r\nhello", b"+5\r\nhello", b"-5\r\n", b" 5\r\nhello", b"5 \r\nhello", b"5\t\r\nhello",
    b"5\nhello", b"5\rhello", b"5_0\r\n", b"\xef\xbc\x95\r\n", b"5;a\rb\r\n", b"5;a\nb\r\n", b"5;\x00\r\n", b"5,\r\n",
    b"1" + b"0" * 16 + b"\r\n", b"5\r\nhello5\r\n", b"5\r\nhelloXX", b"5\r\nhello\n", b"5\r\nhello\r0",
    b"0\r\nnonsense\r\n\r\n", b"0\r\n: b\r\n\r\n", b"0\r\nA : b\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n",
    b"0\r\nA: b\n\r\n", b"0\r\nA: \x00\r\n\r\n", b"0\r\n\n", b"0\n\n", b"0\r\ncontent-length: 5\r\n\r\n",
    b"0\r\nTransfer-Encoding: x\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_the_content_is_the_same_in_any_pieces_and_ends_to_the_byte(name: str, size: int) -> None:
    data, content = FINE[name]
    assert read(data + b"GET / HTTP/1.1\r\n", size=size) == (content, b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_what_could_be_read_in_two_ways_is_rejected(data: bytes, size: int) -> None:
    with pytest.raises(MalformedRequest):
        read(data, size=size)


@pytest.mark.parametrize(
    "data", [b"3e9\r\n", b"ffffffffffffffff\r\n", b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\n"]
)
def test_a_body_that_is_announced_too_large_is_rejected_before_it_comes(data: bytes) -> None:
    with pytest.raises(BodyTooLarge):
        read(data)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "data", [b"0\r\n" + b"A: b\r\n" * 200, b"1;" + b"x" * 600, b"1;x\r\n \r\n" * 300, b"0" * 4000]
)
def test_framing_out_of_proportion_is_rejected(data: bytes, size: int) -> None:
    """Trailers, extensions and sizes; small chunks are in proportion."""
    with pytest.raises(MalformedRequest):
        read(data, size=size)
    assert read(b"1\r\n \r\n" * 900 + END, size=size)[0] == b" " * 900


def test_a_line_that_never_ends_is_not_kept() -> None:
    with pytest.raises(MalformedRequest, match="a line of over"):
        read(b"1;" + b"x" * 5000, framing=1 << 20)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"5\r\nhello\r\n",
                b"5",
                b"hello",
                b"0\r\n",
                b"\r\n",
                b"\n",
                b"\r",
                b"1",
                b";a",
                b";a=",
                b'"',
                b" ",
                b"A: b\r\n",
                b"f",
            ]
        )
    )
)
def test_nothing_is_taken_that_llhttp_refuses(parts: list[bytes]) -> None:
    """The stricter of the two never hands on what the other calls broken, and both find the same content."""
    data = b"".join(parts)
    try:
        content, rest = read(data)
    except (InvalidRequest, AssertionError):
        return
    found: list[bytes] = []

    class Told:
        def on_body(self, body: bytes) -> None:
            found.append(body)

    httptools.HttpRequestParser(Told()).feed_data(HEAD + data[: len(data) - len(rest)])
    assert b"".join(found) == content
