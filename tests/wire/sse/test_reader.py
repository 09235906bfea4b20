"""Events do not depend on how the bytes are cut or where lines end, no byte is lost, and memory is bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clawgate.errors import UpstreamMalformed
from clawgate.wire.sse import reader as sse
from clawgate.wire.sse.reader import Event, EventReader
from tests.wire.event_stream import dispatched

PIECES = [
    b"data: a", b"data:b", b"data", b"data: ", b":", b": ping", b"event: x", b"id: 1", b"datas: c", b" ",
    b"\n", b"\r", b"\r\n", b"\n\n", "data: é🦞".encode(), b"\xef\xbb\xbf",
]  # fmt: skip
streams = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)
places = st.lists(st.integers(0, 60), max_size=4)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in at), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(*chunks: bytes) -> tuple[list[Event], bytes]:
    """The events, and what is left of an open one."""
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    rest = reader.close()
    return events, rest.raw if rest is not None else b""


def data_of(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if event.data is not None]


@given(streams, places)
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [10])
@example(b"data: a\ndata\n\n", [])
@example(b"data: :\n\n", [])
@example(b"data\ndata\n\n", [])
@example(b"data:  \n\n", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"\xef\xbb\xbf: c\ndata: a\n\n", [2])
@example(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [9])
def test_reader_returns_the_data_that_a_browser_dispatches(stream: bytes, at: list[int]) -> None:
    """An event whose data is empty is dispatched by no browser."""
    events, _ = read(*cut(stream, at))
    assert [data.decode() for data in data_of(events) if data] == [
        data for data in dispatched(stream) if data
    ]


@given(streams, places)
def test_reader_loses_and_changes_no_byte(stream: bytes, at: list[int]) -> None:
    events, rest = read(*cut(stream, at))
    assert b"".join(event.raw for event in events) + rest == stream


@given(streams)
def test_reader_is_between_events_if_nothing_is_open(stream: bytes) -> None:
    """What is said behind such a place is an event of its own."""
    reader = EventReader()
    reader.feed(stream)
    if reader.is_between_events:
        assert dispatched(stream + b"data: own\n\n")[-1] == "own"
        assert len(dispatched(stream + b"data: own\n\n")) == len(dispatched(stream)) + 1


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_do_not_depend_on_chunks(line_end: bytes, size: int) -> None:
    stream = "data: é\n\n: warm\nevent: x\ndata: 1\ndata: 2\n\ndata: lost\n".encode().replace(b"\n", line_end)
    events, _ = read(*[stream[start : start + size] for start in range(0, len(stream), size)])
    assert [(event.name, event.data) for event in events if event.data is not None] == [
        (b"", "é".encode()),
        (b"x", b"1\n2"),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_has_its_name_and_its_data(end: bytes) -> None:
    stream = end.join(
        [b"\xef\xbb\xbfevent:error", b"id: 7", b"data: one", b": data: no", b"data:two", b"", b""]
    )
    assert read(stream)[0] == [Event(stream, b"error", b"one\ntwo")]


def test_a_comment_in_front_of_an_event_does_not_wait_for_it() -> None:
    """Or a client would not be kept waiting by it."""
    assert read(b": warm\n")[0] == [Event(b": warm\n")]
    assert read(b": warm\n\n: warm\ndata: a\n\n")[0] == [
        Event(b": warm\n\n: warm\n"),
        Event(b"data: a\n\n", b"", b"a"),
    ]
    assert read(b"data: a\n: within\n\n")[0] == [Event(b"data: a\n: within\n\n", b"", b"a")]


def test_many_comments_in_a_row_are_one() -> None:
    """So that little from the upstream never becomes much for the client."""
    assert read(b":\n" * 1000)[0] == [Event(b":\n" * 1000)]


def test_an_error_line_of_llama_cpp_is_data() -> None:
    assert data_of(read(b'error: {"code":500}\n\n')[0]) == [b'{"code":500}']


def test_close_returns_the_event_that_lacks_its_blank_line() -> None:
    reader = EventReader()
    reader.feed(b"data: a\n\nevent: x\ndata: b")
    assert reader.close() == Event(b"event: x\ndata: b", b"x", b"b")
    assert EventReader().close() is None


@pytest.mark.parametrize(
    "endless", [b"data: " + b"x" * 100, b"data: x\n", b"data:\n", b"data\n", b"x" * 100, b":x"]
)
def test_an_event_without_an_end_is_malformed_at_the_bound(
    monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(UpstreamMalformed, match="1000 bytes"):
        feed_forever(EventReader(), endless)


def test_an_event_of_too_many_lines_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them costs memory beside its bytes."""
    monkeypatch.setattr(sse, "MAX_EVENT_LINES", 100)
    with pytest.raises(UpstreamMalformed, match="100 lines"):
        read(b"data:\n" * 200 + b"\n")


def feed_forever(reader: EventReader, chunk: bytes) -> None:
    for _ in range(10_000):
        reader.feed(chunk)


def test_a_long_stream_of_short_events_meets_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    feed_forever(EventReader(), b"data: abc\n\n: comment\n")
