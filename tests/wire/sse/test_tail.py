"""A cut stream never looks finished, and what is only kept warm has not begun."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.wire.sse import tail as sse
from clawgate.wire.sse.tail import TAIL_BYTES, FirstEventDetector, StreamTail, closing_chunk
from tests.wire.event_stream import dispatched

EVENT = b'data: {"error":{"code":"upstream_closed"}}\n\n'
ERROR = '{"error":{"code":"upstream_closed"}}'
BOM = b"\xef\xbb\xbf"

PIECES = [
    b"data: [DONE]", b"data:[DONE]", b"data:  [DONE]", b"data", b":", b" ", b"[DONE]", b"[", b"[DO", b"NE]",
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", b": ping", b"event: error", b"id: 1", b"retry: 1",
    b'data: {"choices":[]}', b"data: ", b"xdata: [DONE]", b"Data: [DONE]", b"\x00", "é".encode(), b"\xe2\x80\xa8",
]  # fmt: skip
streams = st.builds(
    lambda bom, pieces: bom + b"".join(pieces),
    st.sampled_from([b"", b"", BOM]),
    st.lists(st.sampled_from(PIECES), max_size=10),
)
remembered = st.sampled_from([TAIL_BYTES, TAIL_BYTES, 16, 7])
"""How much of a stream is kept: with few bytes, short streams have lost their beginning, too."""


def after(*chunks: bytes, keeping: int = TAIL_BYTES) -> bytes:
    """What is added to a stream that was cut behind ``chunks``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "TAIL_BYTES", keeping)
        tail = StreamTail()
        for chunk in chunks:
            tail.add(chunk)
        return tail.closing_chunk(EVENT)


# What is added behind a cut


@pytest.mark.parametrize(
    ("tail", "added", "why"),
    [
        (b"", EVENT, "nothing was said: the event alone"),
        (b"data: a\n\n", EVENT, "at a boundary of LF"),
        (b"data: a\r\n\r\n", EVENT, "at a boundary of CRLF"),
        (b"data: a\r\r", EVENT, "at a boundary of CR"),
        (b"data: a\n\r\n", EVENT, "at a mixed boundary"),
        (b"data: a\r\n\n", EVENT, "at a mixed boundary, the other way round"),
        (b"data: a\r\n\r", EVENT, "a CR after CRLF is the blank line"),
        (b": ping\n\n", EVENT, "behind a comment"),
        (b"data\ndata: [DONE]\n\n", EVENT, "a line in front of [DONE]: no client takes that for the end"),
        (b"data: a", b"\n\n" + EVENT, "in the middle of a line"),
        (b'data: {"a":"\xc3', b"\n\n" + EVENT, "in the middle of a character"),
        (b"data: a\n", b"\n\n" + EVENT, "in the middle of an event"),
        (b"data: a\r\n", b"\n\n" + EVENT, "one CRLF is one line end"),
        (b"data: a\r", b"\n\n" + EVENT, "a CR whose LF may be missing"),
        (b": ping", b"\n\n" + EVENT, "in the middle of a comment"),
        (b"event: x\n", b"\n\n" + EVENT, "an event with no data yet"),
        (b"\n", EVENT, "a line end alone is a blank line"),
        (b"data: [DONE]", b"", "ending the event would say [DONE]"),
        (b"data:[DONE]", b"", "the blank behind the colon is optional"),
        (b"data: [DONE]\n", b"", "the line is over, the event is not"),
        (b"data: [DONE]\r\n", b"", "the same with CRLF"),
        (b"data: [DONE]\r", b"", "the same with CR"),
        (b"data: [DONE", b"", "a beginning of [DONE] is not made to look like data"),
        (b"data: [", b"", "neither is its first byte"),
        (b"data: ", b"", "an empty value could become anything"),
        (b"data", b"", "a field without its colon has an empty value"),
        (b"data: a\n\ndata: [DONE]\nid: 1", b"", "[DONE] followed by a field of the same event"),
        (b"data: a\n\ndata: [DONE]\n\n", b"", "[DONE] was said: there is nothing left to be cut"),
        (b"data: a\r\n\r\ndata: [DONE]\r\n\r\n", b"", "[DONE] was said with CRLF"),
        (b"xdata: [DONE]", b"\n\n" + EVENT, "another field's value means nothing"),
        (b": [DONE]", b"\n\n" + EVENT, "nor does a comment's"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_added_behind_a_cut(tail: bytes, added: bytes, why: str) -> None:
    assert closing_chunk(tail, EVENT) == added, why


@pytest.mark.parametrize(
    "tail", [b"data: [DONE]\n\n\n", b"data: [DONE]\r\n\r\n\r\n", b"data: [DONE]\n\n: ping\n\n"]
)
def test_nothing_is_added_once_done_was_said(tail: bytes) -> None:
    """A blank line or a comment behind [DONE] does not take back that the answer was whole."""
    assert closing_chunk(tail, EVENT) == b""


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"error":{"message":"x"}}\n\n',
        b'data: {"error": {"message": "x"}}\n\n',
        b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n',
    ],
)
def test_nothing_is_added_behind_an_error_that_was_told(told: bytes) -> None:
    """By a clawgate further on, for one: what it says is nearer to the cause, and the broken end is there too."""
    assert after(b"data: a\n\n" + told) == b""
    assert after(b"data: a\n\n" + told + b": warm\n\n") == b""
    assert after(b"data: a\n\n" + told + b"data: b\n\n") == EVENT
    assert after(told + b'data: {"error":null,"choices":[]}\n\n') == EVENT


@pytest.mark.parametrize(
    "prefix",
    [BOM + b"data: [DONE]", b"data: [DONE]\n: " + b"x" * 3 * TAIL_BYTES, b"a" * 3 * TAIL_BYTES],
    ids=["BOM", "longer than the tail", "one line"],
)
def test_a_hidden_done_is_not_completed(prefix: bytes) -> None:
    """Neither a byte order mark nor a comment longer than the tail makes us complete an open [DONE]."""
    whole = prefix + after(prefix)
    assert "[DONE]" not in dispatched(whole)


@settings(max_examples=1000, deadline=None)
@given(streams, remembered)
@example(b"data: [DONE]\ndata", TAIL_BYTES)
@example(b"data: [DONE]\r", TAIL_BYTES)
@example(b"data\ndata: [DONE]", TAIL_BYTES)
@example(b"data: [DONE]\n:" + b"x" * 40, 7)
def test_a_cut_never_completes_done(prefix: bytes, keeping: int) -> None:
    """Whatever was sent before the cut, [DONE] is dispatched only if the upstream itself had finished saying it."""
    whole = prefix + after(prefix, keeping=keeping)
    assert dispatched(whole).count("[DONE]") == dispatched(prefix).count("[DONE]")


@settings(max_examples=1000, deadline=None)
@given(streams, remembered)
@example(b"event: x\n", TAIL_BYTES)
@example(b"data: a\r", TAIL_BYTES)
def test_the_error_is_the_last_event_or_nothing_is_added(prefix: bytes, keeping: int) -> None:
    """What is added is seen as an event of its own, behind everything else, with its data unchanged."""
    added = after(prefix, keeping=keeping)
    if added:
        assert dispatched(prefix + added)[-1] == ERROR


@settings(max_examples=300, deadline=None)
@given(streams, remembered)
def test_what_the_upstream_said_stays_said(prefix: bytes, keeping: int) -> None:
    """Everything dispatched before the cut is dispatched unchanged with the addition behind it."""
    before = dispatched(prefix)
    assert dispatched(prefix + after(prefix, keeping=keeping))[: len(before)] == before


# The tail


@settings(max_examples=300, deadline=None)
@given(streams, remembered, st.lists(st.integers(0, 40), max_size=8))
def test_how_a_stream_was_cut_into_chunks_completes_nothing_either(
    prefix: bytes, keeping: int, cuts: list[int]
) -> None:
    """Chunks decide how much of a long stream is remembered, never whether [DONE] is made up."""
    edges = [0, *sorted(min(cut, len(prefix)) for cut in cuts), len(prefix)]
    added = after(*[prefix[a:b] for a, b in pairwise(edges)], keeping=keeping)
    assert dispatched(prefix + added).count("[DONE]") == dispatched(prefix).count("[DONE]")
    if added:
        assert dispatched(prefix + added)[-1] == ERROR
    if len(prefix) <= keeping:
        assert added == closing_chunk(prefix, EVENT)


@pytest.mark.parametrize("size", [1, 7, TAIL_BYTES, 5 * TAIL_BYTES])
def test_a_long_stream_is_closed_like_a_short_one(size: int) -> None:
    """At the boundary behind many events the error is seen, whatever came before it."""
    stream = b"data: x\n\n" * (20 * TAIL_BYTES // 9)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert after(*pieces) == EVENT
    assert after(*pieces, b"data: [DONE]\n\n") == b""
    assert after(*pieces, b"data: y") == b"\n\n" + EVENT


# The first event


@pytest.mark.parametrize(
    ("stream", "begun", "why"),
    [
        (b"", False, "nothing came"),
        (b": ping\n\n", False, "a comment"),
        (b":\n", False, "an empty comment"),
        (b"\n\r\n\r\n", False, "blank lines"),
        (b": a\r: b\r\n: c\n", False, "comments behind each kind of line end"),
        (b": data: x\n\n", False, "a comment that holds what looks like data"),
        (b": ping", False, "a comment that goes on"),
        (b"data: x\n\n", True, "an event"),
        (b"d", True, "its first byte"),
        (b" : ping", True, "a line that begins with a blank is no comment"),
        (b": ping\n\ndata: x", True, "an event behind a comment"),
        (b": ping\re", True, "a CR ends a comment"),
        (b"event: x", True, "a field that is not data"),
        (b"\x00", True, "any byte that is not a comment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_comments_do_not_begin_an_answer(stream: bytes, begun: bool, why: str) -> None:
    """The same verdict in one piece and byte by byte."""
    assert FirstEventDetector().feed(stream) is begun, why
    bytewise = FirstEventDetector()
    heard = [bytewise.feed(stream[at : at + 1]) for at in range(len(stream))]
    assert any(heard) is begun, why


def test_a_byte_order_mark_does_not_begin_an_answer() -> None:
    assert FirstEventDetector().feed(BOM + b": ping\n\n") is False


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from([b": ping", b":", b"\n", b"\r", b"\r\n", b"data: x", b" ", b"x"]), max_size=10),
    st.lists(st.integers(0, 80), max_size=6),
)
def test_chunking_does_not_matter_for_the_first_event(pieces: list[bytes], cuts: list[int]) -> None:
    """However the stream is cut, the verdict after the last chunk is that of the whole."""
    stream = b"".join(pieces)
    whole = FirstEventDetector().feed(stream)
    reader = FirstEventDetector()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    heard = [reader.feed(stream[a:b]) for a, b in pairwise(edges)]
    assert any(heard) is whole


# Where whole events have passed by


@settings(max_examples=400)
@given(
    streams,
    st.lists(
        st.sampled_from([b"data: a\n\n", b"data: [DONE]\n\n", b"event: x\ndata: b\n\n: c\n\n"]), min_size=1
    ),
    streams,
)
@example(b"data: [DONE]\n\n", [b"data: a\n\n"], b"")
@example(b"", [b"data: a\n\n", b"data: [DONE]\n\n"], b": late\n\n")
def test_of_events_that_passed_the_last_is_enough(before: bytes, passed: list[bytes], after: bytes) -> None:
    """Told of the last of them alone, a stream ends as it does when told of all."""
    tail = StreamTail()
    tail.add(before + b"\n\n")
    tail.restart(passed[-1])
    tail.add(after)
    assert tail.closing_chunk(EVENT) == closing_chunk(b"".join([before, b"\n\n", *passed, after]), EVENT)


@pytest.mark.parametrize("end", [b"data: a\n\n", b"data: a\r\n\r\n", b": a\n\n"])
def test_behind_a_blank_line_a_stream_is_between_events(end: bytes) -> None:
    tail = StreamTail()
    tail.add(b"data: b\n" + end)
    assert tail.is_between_events


@pytest.mark.parametrize("end", [b"", b"data: a", b"data: a\n", b"data: a\r\n", b"\n\ndata: a"])
def test_within_an_event_a_stream_is_not_between_events(end: bytes) -> None:
    tail = StreamTail()
    tail.add(end)
    assert not tail.is_between_events
