"""Whatever bytes come, the reader raises nothing, says at most one error, and keeps little."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.relay.downstream.request_parser import ClientLimits, RequestParser
from clawgate.relay.interfaces import RequestHead

LIMITS = ClientLimits(head_bytes=2_000, target_bytes=200, body_bytes=1_000)
FEW = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)

HEADS = [
    b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345",
    b"POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n12345\r\n0\r\nT: 1\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
]
SPICE = [
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"\x0b", b"\xff", b"\r\n\r\n", b"Content-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"-1", b"+1", b"1_0", b"HTTP/1.1", b"chunked, identity", b"Upgrade: h2c\r\n", b"a" * 300, b"0" * 40,
]  # fmt: skip


class Recorder:
    """Checks the order of what it is told: heads, bodies and ends in turn, an error once and last."""

    def __init__(self) -> None:
        self.state = "head"
        self.error = False
        self.requests = 0
        self.body = 0

    def on_request_head(self, head: RequestHead, raw: bytes | None) -> None:
        assert self.state == "head" and not self.error
        assert sum(len(name) + len(value) for name, value in head.fields) <= LIMITS.head_bytes
        assert len(head.target) <= LIMITS.target_bytes
        assert all(name == name.lower() for name, _ in head.fields)
        assert not any(byte in b"\r\n\0" for _, value in head.fields for byte in value)
        self.state = "body"

    def on_request_body(self, piece: bytes) -> None:
        assert self.state == "body" and not self.error and piece
        self.body += len(piece)

    def on_request_complete(self) -> None:
        assert self.state == "body" and not self.error
        self.state = "head"
        self.requests += 1

    def on_request_error(self, error: InvalidRequest) -> None:
        assert not self.error
        self.error = True


def play(data: bytes, cuts: list[int]) -> Recorder:
    """One connection, its bytes cut at the given places."""
    recorder = Recorder()
    reader = RequestParser(recorder, LIMITS)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        rest = data[start:end]
        while rest:
            before = len(rest)
            rest = reader.feed(rest)
            assert len(rest) <= before
            if recorder.error:
                return recorder
            if reader.complete:
                if reader.is_last:
                    return recorder
                reader.start_request()
            assert len(rest) < before, "it takes nothing and would be asked forever"
    assert recorder.body <= len(data)
    return recorder


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Requests in a row, with something cut out, put in or turned over in them."""
    data = b"".join(draw(st.lists(st.sampled_from(HEADS), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["in", "out", "byte", "double"]))
        if kind == "in":
            data = data[:at] + draw(st.sampled_from(SPICE)) + data[at:]
        elif kind == "out":
            data = data[:at] + data[at + draw(st.integers(1, 20)) :]
        elif kind == "byte":
            data = data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
        else:
            data = data[:at] + data[max(0, at - 20) :]
    return data


CUTS = st.lists(st.integers(0, 5_000), max_size=6)


@FEW
@given(data=st.binary(max_size=400), cuts=CUTS)
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    """No exception, one error at most, no request out of order."""
    play(data, cuts)


@FEW
@given(data=mutated(), cuts=CUTS)
@example(data=b"GET / HTTP/1.1\r\nContent-Length: " + b"0" * 1900 + b"\r\n\r\n", cuts=[])
def test_nearly_requests(data: bytes, cuts: list[int]) -> None:
    """The same for what almost makes sense."""
    play(data, cuts)


@FEW
@given(data=mutated(), cuts=CUTS)
def test_cuts_change_nothing_that_matters(data: bytes, cuts: list[int]) -> None:
    """What is told of the same bytes is the same, in whatever reads they come."""
    whole, cut = play(data, []), play(data, cuts)
    assert (whole.error, whole.requests) == (cut.error, cut.requests)
    if not whole.error:  # of a broken body, more may have been told before it broke
        assert whole.body == cut.body


@FEW
@given(size=st.integers(1, 4_000), piece=st.integers(1, 50))
def test_a_head_without_end_is_given_up(size: int, piece: int) -> None:
    """At the limit, however small its pieces."""
    data = b"GET / HTTP/1.1\r\nX: " + b"a" * size
    recorder = play(data, list(range(0, len(data), piece)))
    assert recorder.error is (len(data) > LIMITS.head_bytes)


@FEW
@given(sizes=st.lists(st.integers(1, 300), max_size=10), cuts=CUTS)
def test_chunks_are_what_they_say(sizes: list[int], cuts: list[int]) -> None:
    """The body is the sum of its chunks, in any reads."""
    body = b"".join(b"%x\r\n%b\r\n" % (size, b"\r" * size) for size in sizes)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    recorder = play(head + body + b"0\r\n\r\n", cuts)
    if sum(sizes) > LIMITS.body_bytes:
        assert recorder.error and not recorder.requests
    else:
        assert (recorder.error, recorder.requests, recorder.body) == (False, 1, sum(sizes))
