"""A stream in pieces of one event each: the same bytes, however they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.sse.splitter import MOST_BYTES, EventSplitter, fields_of, is_complete

PING, WORD, LAST = b": ping\n\n", b"event: a\ndata: 1\n\n", b"data: 2\ndata: 3\r\n\r\n"


def cut(stream: bytes, size: int) -> tuple[list[tuple[bytes, bool]], bytes]:
    events = EventSplitter()
    found = [piece for at in range(0, len(stream), size) for piece in events.feed(stream[at : at + size])]
    return found, events.rest()[0]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_each_event_is_a_piece_and_what_is_not_whole_is_the_rest(size: int) -> None:
    found, rest = cut(PING + WORD + WORD + b"data: 4\n", size)
    assert found == [(PING, True), (WORD, True), (WORD, True)] and rest == b"data: 4\n"


@given(st.lists(st.sampled_from([PING, WORD, LAST, b"\n", b"\r", b"data", b": "])), st.integers(1, 40))
def test_no_byte_is_changed_lost_or_made_up(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    found, rest = cut(stream, size)
    assert b"".join(piece for piece, _ in found) + rest == stream


@pytest.mark.parametrize("size", [1000, MOST_BYTES * 4])
def test_an_event_that_is_too_long_goes_on_as_it_comes(size: int) -> None:
    """And takes no more room than its limit; with the next one an event begins again."""
    long = b"data: " + b"x" * (3 * MOST_BYTES) + b"\n\n"
    found, rest = cut(long + WORD, size)
    begins = [piece for piece, is_beginning in found if is_beginning]
    assert b"".join(piece for piece, _ in found) == long + WORD and rest == b""
    assert len(begins) == 2 and begins[-1] == WORD
    assert size > MOST_BYTES or max(len(piece) for piece, _ in found) <= MOST_BYTES + size


@pytest.mark.parametrize(
    ("rest", "complete"),
    [
        (b'event: a\ndata: {"a":1}\n', True),
        (b'data: {"a":1}', True),
        (b"data: [DONE]", True),
        (b"event: error\n", True),
        (b'event: a\ndata: {"a"', False),
        (b'data: {"a":1}\ndat', True),
        (b"data: " + b"[" * 5000, False),
        (b": ping", False),
        (b"", False),
    ],
)
def test_a_stream_may_end_with_an_event_that_lacks_its_blank_line_or_with_half_of_one(
    rest: bytes, complete: bool
) -> None:
    assert is_complete(rest) == complete


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_name_and_data_of_an_event(end: bytes) -> None:
    event = end.join(
        [b"\xef\xbb\xbfevent:error", b"id: 7", b"data: one", b": data: no", b"data:two", b"", b""]
    )
    assert fields_of(event) == (b"error", b"one\ntwo")
