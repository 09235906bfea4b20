"""The reader tells the same story however the bytes are cut, and tells it once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clawgate.errors import InvalidRequest
from clawgate.relay.downstream.request_parser import ClientLimits, RequestParser
from clawgate.relay.interfaces import RequestHead

LIMITS = ClientLimits(head_bytes=600, target_bytes=100, body_bytes=1000)


@dataclass
class Listener:
    """Writes down what it is told, bodies joined."""

    story: list[tuple[object, ...]] = field(default_factory=list)
    over: bool = False

    def on_request_head(self, head: RequestHead, raw: bytes | None) -> None:
        self.story.append(
            ("head", head.method, head.target, head.version, tuple(head.fields), head.wants_socket)
        )

    def on_request_body(self, piece: bytes) -> None:
        if self.story and self.story[-1][0] == "body":
            piece = b"".join(part for part in (*self.story.pop()[1:], piece) if isinstance(part, bytes))
        self.story.append(("body", piece))

    def on_request_complete(self) -> None:
        self.story.append(("end",))

    def on_request_error(self, error: InvalidRequest) -> None:
        assert not self.over, "told twice"
        self.over = True
        self.story.append(("error", type(error).__name__))


def told(pieces: list[bytes], limits: ClientLimits = LIMITS) -> list[tuple[object, ...]]:
    """The story of one connection, its requests taken one by one."""
    listener = Listener()
    reader = RequestParser(listener, limits)
    for piece in pieces:
        rest = piece
        while rest and not listener.over:
            rest = reader.feed(rest)
            if reader.complete and not listener.over:
                listener.story.append(("last", reader.is_last))
                if reader.is_last:
                    return listener.story
                reader.start_request()
    return listener.story


def post(body: bytes, *lines: bytes) -> bytes:
    head = [b"POST /v1/x HTTP/1.1", b"Host: x", b"Content-Type: application/json", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


GET = b"GET /v1/models?a=b HTTP/1.1\r\nHost: x\r\nEmpty:\r\nX-Y: \t z\r\n\r\n"
TWO = post(b"{}", b"Content-Length: 2")
CHUNKED = post(b"2\r\n{}\r\n1;x=y\r\n \r\n0\r\nTrailer: 1\r\n\r\n", b"Transfer-Encoding: chunked")
H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA")

READABLE = {
    "get": GET,
    "post": TWO,
    "empty": post(b"", b"Content-Length: 0"),
    "chunked": CHUNKED,
    "two-gets": GET + GET,
    "three": GET + TWO + GET,
    "empty-lines": b"\r\n\r\n" + TWO + b"\r\n" + GET,
    "h2c": post(b"{}", *H2C, b"Content-Length: 2"),
    "h2c-chunked": post(b"2\r\n{}\r\n0\r\n\r\n", *H2C, b"Transfer-Encoding: chunked"),
    "http10": GET.replace(b"1.1", b"1.0"),
    "websocket": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "body-like-a-head": post(b"\r\n\r\n", b"Content-Length: 4") + GET,
}
UNREADABLE = {
    "no-http": b"nonsense\r\n\r\n",
    "lf": GET.replace(b"\r\n", b"\n"),
    "fold": post(b"", b"X: a\r\n b"),
    "both-framings": post(b"0\r\n\r\n", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "two-lengths": post(b"{}", b"Content-Length: 2", b"Content-Length: 2"),
    "behind-a-good-one": GET + b"nonsense\r\n\r\n",
    "head-too-large": b"GET / HTTP/1.1\r\nX: " + b"a" * 700 + b"\r\n\r\n",
    "target-too-long": b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n\r\n",
    "chunk-size": post(b"x\r\n", b"Transfer-Encoding: chunked"),
    "chunk-end": post(b"2\r\n{}XX", b"Transfer-Encoding: chunked"),
}


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def without_bodies(story: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """A body that turns out to be broken may have been told in part."""
    return [event for event in story if event[0] != "body"]


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pieces_tell_the_same(name: str, size: int) -> None:
    """A byte at a time, two, three, seven."""
    data = READABLE[name]
    assert told(in_pieces(data, size)) == told([data])


@pytest.mark.parametrize("name", READABLE)
def test_every_cut_in_two_tells_the_same(name: str) -> None:
    """At every offset."""
    data = READABLE[name]
    whole = told([data])
    assert whole[-1][0] == "last"
    for at in range(1, len(data)):
        assert told([data[:at], data[at:]]) == whole, at


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_what_is_wrong_is_wrong_in_any_pieces(name: str, size: int) -> None:
    """The last thing said is the error, and it is the same kind of error."""
    story = told(in_pieces(UNREADABLE[name], size))
    assert story[-1][0] == "error"
    assert without_bodies(story) == without_bodies(told([UNREADABLE[name]]))


def test_a_head_is_told_as_it_was_sent() -> None:
    """Names in lower case, values without white space in front, empty ones kept, in order."""
    story = told([GET])
    fields = ((b"host", b"x"), (b"empty", b""), (b"x-y", b"z"))
    assert story == [("head", b"GET", b"/v1/models?a=b", "1.1", fields, False), ("end",), ("last", False)]


def test_trailers_and_extensions_are_dropped() -> None:
    """The body is what the chunks hold, and no field is added to the head."""
    head, body, *_ = told([CHUNKED])
    assert body == ("body", b"{} ")
    assert b"trailer" not in dict(head[4])  # type: ignore[call-overload]


def test_what_follows_a_counted_body_is_left_alone() -> None:
    """It comes back unread, to be fed again for the next request."""
    listener = Listener()
    reader = RequestParser(listener, LIMITS)
    head, body = TWO[:-2], TWO[-2:]
    assert reader.feed(head + body + GET) == body + GET
    assert not reader.complete
    assert reader.feed(body + GET) == GET
    assert reader.complete


def test_what_follows_a_chunked_body_is_left_alone() -> None:
    """Its end is found to the byte: what stands behind it is the next request."""
    assert told([CHUNKED + TWO]) == told([CHUNKED]) + told([TWO])
    assert told([CHUNKED + b"garbage\r\n\r\n"]) == [*told([CHUNKED]), ("error", "MalformedRequest")]


@pytest.mark.parametrize("line", [b"Connection: close", b"Connection: keep-alive, Close"])
def test_close_makes_a_request_with_a_body_the_last(line: bytes) -> None:
    """Whatever else stands in the field."""
    assert told([post(b"{}", line, b"Content-Length: 2")])[-1] == ("last", True)


def test_http10_is_the_last() -> None:
    """Also with keep-alive: it is not worth a second framing."""
    assert told([b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])[-1] == ("last", True)


def test_a_websocket_is_told_and_is_the_last() -> None:
    """Any other upgrade is ignored."""
    story = told([READABLE["websocket"]])
    assert story[0][-1] is True
    assert story[-1] == ("last", True)
    assert told([READABLE["h2c"]])[0][-1] is False


@pytest.mark.parametrize("size", [599, 600, 601])
def test_the_head_limit_is_exact(size: int) -> None:
    """Counted from the first byte to the empty line, both included."""
    start = b"GET / HTTP/1.1\r\nX: "
    head = start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"
    assert len(head) == size
    assert (told([head])[-1] == ("error", "HeadTooLarge")) == (size > 600)


def test_a_head_without_end_is_not_kept_forever() -> None:
    """The limit does not wait for the empty line."""
    assert told([b"GET / HTTP/1.1\r\nX: ", b"a" * 700])[-1] == ("error", "HeadTooLarge")


def test_the_raw_head_is_given_only_when_it_may_be_known_again() -> None:
    """With a length that is counted, on a connection that goes on."""
    raws: list[bytes | None] = []

    class Raws(Listener):
        def on_request_head(self, head: RequestHead, raw: bytes | None) -> None:
            raws.append(raw)

    def feed(*pieces: bytes) -> bytes | None:
        reader = RequestParser(Raws(), LIMITS)
        for piece in pieces:
            reader.feed(piece)
        return raws.pop()

    assert feed(TWO) == TWO[:-2]
    assert feed(GET) == GET
    assert feed(TWO[:9], TWO[9:]) == TWO[:-2]
    assert feed(CHUNKED) is None
    assert feed(READABLE["http10"]) is None
    assert feed(READABLE["websocket"]) is None


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_number_of_headers_is_bounded(size: int) -> None:
    """Short headers cost many times their bytes in memory, and unfinished heads wait without a token."""
    limits = ClientLimits(head_lines=10)
    request = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 10
    fits = request + b"\r\n"
    assert told([fits[at : at + size] for at in range(0, len(fits), size)], limits)[0][0] == "head"
    over = request + b"a:\r\n" * 1000
    assert told([over[at : at + size] for at in range(0, len(over), size)], limits) == [
        ("error", "HeadTooLarge")
    ]


def test_the_bytes_of_a_body_are_counted() -> None:
    """However they are framed, and anew for each request."""
    reader = RequestParser(Listener(), LIMITS)
    counts = []
    for request in (TWO, CHUNKED, GET + TWO):
        rest = request
        while rest:
            rest = reader.feed(rest)
            if reader.complete:
                counts.append(reader.body_bytes)
                reader.start_request()
    assert counts == [2, 3, 0, 2]
    reader.skip_head(5)
    reader.feed(b"xyz")
    assert reader.body_bytes == 3
