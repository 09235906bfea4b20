"""A cut stream never looks finished: an error event is added behind it where it is one, and nothing else ever is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.relay.response.closing import closing_event, is_final, lacks_only_its_end, reports_error
from clawgate.wire.sse.reader import Event, EventReader
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


def after(*chunks: bytes) -> bytes:
    """What is added to a stream that was cut behind ``chunks``."""
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    last = next((event for event in reversed(events) if event.data is not None), None)
    return closing_event(reader, last, EVENT)


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
    assert after(tail) == added, why


@pytest.mark.parametrize(
    "tail", [b"data: [DONE]\n\n\n", b"data: [DONE]\r\n\r\n\r\n", b"data: [DONE]\n\n: ping\n\n"]
)
def test_nothing_is_added_behind_done(tail: bytes) -> None:
    """A blank line or a comment behind [DONE] does not take back that the answer was whole."""
    assert after(tail) == b""


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"error":{"message":"x"}}\n\n',
        b'data: {"error": {"message": "x"}}\n\n',
        b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n',
    ],
)
def test_nothing_is_added_behind_an_error_event(told: bytes) -> None:
    """By a clawgate further on, for one: what it says is nearer to the cause, and the broken end is there too."""
    assert after(b"data: a\n\n" + told) == b""
    assert after(b"data: a\n\n" + told + b": warm\n\n") == b""
    assert after(b"data: a\n\n" + told + b"data: b\n\n") == EVENT
    assert after(told + b'data: {"error":null,"choices":[]}\n\n') == EVENT


@pytest.mark.parametrize(
    "prefix",
    [BOM + b"data: [DONE]", b"data: [DONE]\n: " + b"x" * 20_000, b"a" * 20_000],
    ids=["BOM", "a long comment", "one line"],
)
def test_a_hidden_done_is_not_completed(prefix: bytes) -> None:
    """Neither a byte order mark nor a long comment makes us complete an open [DONE]."""
    whole = prefix + after(prefix)
    assert "[DONE]" not in dispatched(whole)


@settings(max_examples=1000, deadline=None)
@given(streams)
@example(b"data: [DONE]\ndata")
@example(b"data: [DONE]\r")
@example(b"data\ndata: [DONE]")
@example(b"data: [DONE]\n:" + b"x" * 40)
def test_a_cut_never_completes_done(prefix: bytes) -> None:
    """Whatever was sent before the cut, [DONE] is dispatched only if the upstream itself had finished saying it."""
    whole = prefix + after(prefix)
    assert dispatched(whole).count("[DONE]") == dispatched(prefix).count("[DONE]")


@settings(max_examples=1000, deadline=None)
@given(streams)
@example(b"event: x\n")
@example(b"data: a\r")
def test_the_error_is_the_last_event_or_nothing_is_added(prefix: bytes) -> None:
    """What is added is seen as an event of its own, behind everything else, with its data unchanged."""
    added = after(prefix)
    if added:
        assert dispatched(prefix + added)[-1] == ERROR


@settings(max_examples=300, deadline=None)
@given(streams)
def test_what_the_upstream_said_stays_said(prefix: bytes) -> None:
    """Everything dispatched before the cut is dispatched unchanged with the addition behind it."""
    before = dispatched(prefix)
    assert dispatched(prefix + after(prefix))[: len(before)] == before


@settings(max_examples=300, deadline=None)
@given(streams, st.lists(st.integers(0, 40), max_size=8))
def test_how_a_stream_was_cut_into_chunks_completes_nothing_either(prefix: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(prefix)) for cut in cuts), len(prefix)]
    assert after(*[prefix[a:b] for a, b in pairwise(edges)]) == after(prefix)


@pytest.mark.parametrize("size", [1, 7, 4096, 20_000])
def test_a_long_stream_is_closed_like_a_short_one(size: int) -> None:
    """At the boundary behind many events the error is seen, whatever came before it."""
    stream = b"data: x\n\n" * 9000
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert after(*pieces) == EVENT
    assert after(*pieces, b"data: [DONE]\n\n") == b""
    assert after(*pieces, b"data: y") == b"\n\n" + EVENT


@pytest.mark.parametrize(
    "final",
    [
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type":"message_stop"}\n\n',
        b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
        b'data: {"error":"no"}\n\n',
        b"data: [DONE]\n\n",
    ],
)
def test_nothing_follows_the_last_event_of_any_dialect(final: bytes) -> None:
    """A client has stopped reading, or would take it for a part of what is finished."""
    assert after(b"data: a\n\n" + final) == b""
    (event,) = EventReader().feed(final)
    assert is_final(event) and reports_error(event) is (b"error" in final)


def test_text_about_an_end_is_no_end() -> None:
    talk = b'data: {"choices":[{"delta":{"content":"event: message_stop [DONE] \\"error\\""}}]}\n\n'
    assert after(talk) == EVENT


@pytest.mark.parametrize(
    ("rest", "complete"),
    [
        (b'event: a\ndata: {"a":1}\n', True),
        (b'data: {"a":1}', True),
        (b"data: [DONE]", True),
        (b"event: error\n", False),
        (b'event: a\ndata: {"a"', False),
        (b'data: {"a":1}\ndat', True),
        (b"data: " + b"[" * 5000, False),
        (b"data: [DO", False),
        (b": ping", False),
    ],
)
def test_a_last_event_may_lack_its_blank_line(rest: bytes, complete: bool) -> None:
    reader = EventReader()
    reader.feed(rest)
    event = reader.close()
    assert event is not None and lacks_only_its_end(event) is complete


def test_what_is_no_event_reports_no_error() -> None:
    assert not reports_error(None) and not reports_error(Event(b": error\n"))
