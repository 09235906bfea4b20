"""Events do not depend on how the bytes are cut or where lines end, and memory is bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clawgate.errors import UpstreamMalformed
from clawgate.wire.sse import reader as events
from clawgate.wire.sse.reader import COMMENT, EventReader
from tests.wire.event_stream import dispatched

PIECES = [
    b"data: a", b"data:b", b"data", b"data: ", b":", b": ping", b"event: x", b"id: 1", b"datas: c", b" ",
    b"\n", b"\r", b"\r\n", b"\n\n", "data: é🦞".encode(), b"\xef\xbb\xbf",
]  # fmt: skip
streams = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


def read(*chunks: bytes) -> list[bytes]:
    reader = EventReader()
    return [data for chunk in chunks for data in reader.feed(chunk)]


@given(streams, st.lists(st.integers(0, 60), max_size=4))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [10])
@example(b"data: a\ndata\n\n", [])
@example(b"data: :\n\n", [])
@example(b"data\ndata\n\n", [])
@example(b"data:  \n\n", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_what_is_read_is_what_a_browser_would_dispatch(stream: bytes, cuts: list[int]) -> None:
    """Apart from events of nothing but white space, which mean nothing to anybody here."""
    places = [0, *sorted(cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    found = [data.decode() for data in read(*chunks) if data != COMMENT]
    assert found == [data for data in dispatched(stream) if data.encode().strip()]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_do_not_depend_on_chunks(line_end: bytes, size: int) -> None:
    stream = "data: é\n\n: warm\nevent: x\ndata: 1\ndata: 2\n\ndata: lost\n".encode().replace(b"\n", line_end)
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert read(*chunks) == ["é".encode(), COMMENT, b"1\n2"]


def test_a_comment_is_told_once_for_many_in_a_row() -> None:
    """So that little from the upstream never becomes much for the client."""
    assert read(b":\n" * 1000) == [COMMENT]


@pytest.mark.parametrize(
    "endless", [b"data: " + b"x" * 100, b"data: x\n", b"data:\n", b"data\n", b"x" * 100, b":x"]
)
def test_an_event_without_an_end_is_malformed_at_the_bound(
    monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 1000)
    reader = EventReader()
    with pytest.raises(UpstreamMalformed, match="1000 bytes"):
        feed_forever(reader, endless)


def feed_forever(reader: EventReader, chunk: bytes) -> None:
    for _ in range(10_000):
        reader.feed(chunk)


def test_a_long_stream_of_short_events_meets_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 100)
    feed_forever(EventReader(), b"data: abc\n\n: comment\n")
