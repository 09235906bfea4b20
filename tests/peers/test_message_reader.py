"""The strict reader finds the same message however it is sliced, and reports what is not HTTP/1.1."""

from __future__ import annotations

import pytest

from tests.peers.message_reader import Kind, MessageReader

REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n5;ext=1\r\nde\r\nf\r\n0\r\nX-Trailer: t\r\n\r\n"
)


def read(data: bytes, kind: Kind = "response", *, size: int = 0, to_method: str = "GET") -> MessageReader:
    reader = MessageReader(kind, to_method=to_method)
    for at in range(0, len(data), size or len(data)):
        reader.feed(data[at : at + (size or len(data))])
    return reader


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
def test_slices_do_not_matter(size: int) -> None:
    """A chunked request with extension and trailer is read the same from any slices, and leaves the rest."""
    reader = read(REQUEST + b"GET", "request", size=size)
    assert reader.complete and reader.anomalies == []
    assert reader.head is not None and reader.head.start == ("POST", "/v1/chat/completions", "HTTP/1.1")
    assert reader.head.all("X-TWO") == ["1", "2"]
    assert bytes(reader.body) == b"abcde\r\nf" and reader.chunks == [b"abc", b"de\r\nf"]
    assert reader.trailers == [b"X-Trailer: t"] and reader.unread == b"GET"
    assert reader.consumed == len(REQUEST)


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "bare LF in the head"),
        (b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "empty line before"),
        (b"HTTP/1.1 200 OK\r\nX : 0\r\nContent-Length: 0\r\n\r\n", "malformed field line"),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n  2\r\nContent-Length: 0\r\n\r\n", "folded"),
        (b"HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 0\r\n\r\n", "control character"),
        (b"HTTP/1.1 200 OK\r\nA: a\rb\r\nContent-Length: 0\r\n\r\n", "control character"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "more than one Content-Length",
        ),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "framing on a 204"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "both Transfer-Encoding and Content-Length",
        ),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "in HTTP/1.0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", "bare LF in the chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n", "malformed trailer"),
    ],
)
def test_odd_but_readable(wire: bytes, says: str) -> None:
    """What can be read is read to its end, and the oddity is named."""
    reader = read(wire)
    assert reader.complete
    assert says in " ".join(reader.anomalies)


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"HTTP/2 200\r\n\r\n", "malformed start line"),
        (b"HTTP/1.1 200\r\n\r\n", "malformed start line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", "chunk size line"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n", "chunk size line"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n",
            "where the chunk should end",
        ),
    ],
)
def test_unreadable(wire: bytes, says: str) -> None:
    """Where the framing cannot be trusted the message never becomes complete."""
    reader = read(wire)
    assert reader.broken and not reader.complete
    assert says in " ".join(reader.anomalies)


@pytest.mark.parametrize("hosts", [0, 2])
def test_host_is_exactly_one(hosts: int) -> None:
    """An HTTP/1.1 request without Host, or with two, is an anomaly."""
    assert read(b"GET / HTTP/1.1\r\n" + b"Host: a\r\n" * hosts + b"\r\n", "request").anomalies == [
        f"{hosts} Host fields"
    ]


def test_interim_heads_come_before_the_answer() -> None:
    """1xx heads are kept apart, and 101 ends the HTTP part."""
    reader = read(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00"
    )
    assert [head.start[1] for head in reader.interim] == ["100", "103"]
    assert reader.complete and reader.framing == "upgrade" and reader.unread == b"\x81\x00"


@pytest.mark.parametrize(("status", "method"), [("200 OK", "HEAD"), ("304 Not Modified", "GET")])
def test_no_body_by_rule(status: str, method: str) -> None:
    """An answer to HEAD and a 304 end with their head whatever length they name."""
    reader = read(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n".encode(), to_method=method)
    assert reader.complete and reader.anomalies == []


@pytest.mark.parametrize(
    ("wire", "reset", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nabc", False, True),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", False, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", False, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Enc", False, False),
        (b"", False, False),
    ],
)
def test_only_a_framed_end_is_an_end(wire: bytes, reset: bool, complete: bool) -> None:
    """The end of the connection completes a message only where a FIN is its delimiter."""
    reader = MessageReader("response")
    reader.feed(wire)
    reader.feed_eof(reset=reset)
    assert reader.complete is complete
    assert bool(reader.anomalies) is not complete
