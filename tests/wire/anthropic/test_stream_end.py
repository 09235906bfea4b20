"""A Messages stream has ended only if the model said why it stopped; its text may say whatever it likes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.anthropic.stream_end import EventKind, MessagesStreamEnd, is_keepalive, kind_of
from clawgate.wire.sse.reader import Event, EventReader


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n".encode()


def read(stream: bytes) -> Event:
    (found,) = EventReader().feed(stream)
    return found


START = event("message_start", message={"stop_reason": None})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None})
OPEN_END = event("message_delta", delta={"stop_reason": None})
STOP = event("message_stop")
ERROR = event("error", error={"type": "api_error", "message": "killed"})


def after(stream: bytes, size: int = 0) -> MessagesStreamEnd:
    end, reader = MessagesStreamEnd(), EventReader()
    size = size or len(stream) or 1
    for at in range(0, len(stream), size):
        for found in reader.feed(stream[at : at + size]):
            end.feed(found)
    return end


@pytest.mark.parametrize("size", [0, 1, 7, 64])
@pytest.mark.parametrize(
    ("stream", "finished", "reported_error"),
    [
        (START + TEXT + END + STOP, True, False),
        (START + TEXT + END, True, False),
        (START + TEXT + STOP, False, False),
        (START + TEXT + OPEN_END + STOP, False, False),
        (START + TEXT, False, False),
        (START + TEXT + STOP + ERROR, False, True),
        (START + TEXT + END + STOP + ERROR, False, True),
        (ERROR, False, True),
        (b"", False, False),
        (b": ping\n\n" * 20, False, False),
        (b"<!DOCTYPE html><html><body>message_delta</body></html>", False, False),
        ((START + TEXT + END + STOP).replace(b"\n", b"\r\n"), True, False),
        ((START + TEXT + END + STOP).replace(b"\n", b"\r"), True, False),
        (
            (START + TEXT + END + STOP).replace(b"data: ", b"data:").replace(b"event: ", b"event:"),
            True,
            False,
        ),
        (START + END.rstrip(b"\n"), False, False),
        (START + END[:-1], False, False),
        (b"\xef\xbb\xbf" + ERROR, False, True),
        (b'data: {"error":{"message":"no"}}\n\n', False, True),
        (b'data: {"type":"error"}\n\n', False, True),
        (b"event: error\ndata: what is no JSON\n\n", False, True),
        (b"event: error\n\n", False, True),
        (b'data: {"type":"message_delta",\ndata: "delta":{"stop_reason":"end_turn"}}\n\n', True, False),
        (b'data: {"type":"message_delta","delta":{"stop_reason":"\\ud83d"}}\n\n', True, False),
        (b'data: {"type":"message_delta","delta":{"stop_reason":""}}\n\n', False, False),
        (b'data: {"type":"message_delta","delta":"x"}\n\n', False, False),
        (b'data: {"type":"message_delta"}\n\n', False, False),
        (b'data: {"type":"message_delta","delta":' + b"[" * 5000 + b"\n\n", False, False),
    ],
)
def test_a_stream_is_finished_by_its_stop_reason(
    stream: bytes, finished: bool, reported_error: bool, size: int
) -> None:
    end = after(stream, size)
    assert (end.finished, end.reported_error) == (finished, reported_error)


def test_a_model_that_talks_about_the_end_has_not_ended() -> None:
    words = json.dumps({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    talk = event(
        "content_block_delta", delta={"type": "text_delta", "text": f'"error" event: error\n\ndata: {words}'}
    )
    tool = event(
        "content_block_start", content_block={"type": "tool_use", "input": {"error": "message_delta"}}
    )
    end = after(START + talk + tool)
    assert not end.finished and not end.reported_error
    assert kind_of(read(talk)) is kind_of(read(tool)) is EventKind.CONTENT


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (START, EventKind.CONTENT),
        (TEXT, EventKind.CONTENT),
        (OPEN_END, EventKind.CONTENT),
        (END, EventKind.STOP_REASON),
        (STOP, EventKind.MESSAGE_STOP),
        (ERROR, EventKind.ERROR),
        (b'data: {"type": "message_stop"}\n\n', EventKind.MESSAGE_STOP),
        (b'data:{"index":1,"type":"message_stop"}\n\n', EventKind.MESSAGE_STOP),
        (b'data: {"t\\u0079pe":"message\\u005fstop"}\n\n', EventKind.MESSAGE_STOP),
        (b"event: message_stop\n\n", EventKind.MESSAGE_STOP),
        (b"event: message_stop\ndata: {}\n\n", EventKind.MESSAGE_STOP),
        (b"event: message_stop\ndata: no JSON\n\n", EventKind.MESSAGE_STOP),
        (b'event: content_block_delta\ndata: {"type":"message_stop"}\n\n', EventKind.MESSAGE_STOP),
        (b'event: message_delta\ndata: {"delta":{"stop_reason":"x"}}\n\n', EventKind.STOP_REASON),
        (b'data: {"error":"no","choices":[]}\n\n', EventKind.ERROR),
        (b'data: {"error":null,"choices":[]}\n\n', EventKind.CONTENT),
        (b"data: {message_stop\n\n", EventKind.CONTENT),
        (b"data: ping\n\n", EventKind.CONTENT),
        (b"data: [DONE]\n\n", EventKind.CONTENT),
        (b": message_stop\n\n", EventKind.KEEPALIVE),
        (b": ping\n\n", EventKind.KEEPALIVE),
        (b"\n", EventKind.KEEPALIVE),
        (b"data: \n\n", EventKind.KEEPALIVE),
        (event("ping"), EventKind.KEEPALIVE),
        (b'data: {"type": "ping"}\n\n', EventKind.KEEPALIVE),
        (b"event: ping\n\n", EventKind.KEEPALIVE),
        (b"event: ping\ndata: {}\n\n", EventKind.KEEPALIVE),
    ],
)
def test_an_event_is_what_its_name_or_its_type_says(raw: bytes, kind: EventKind) -> None:
    """Clients read the one or the other."""
    found = read(raw)
    assert kind_of(found) is kind
    assert is_keepalive(found) is (kind is EventKind.KEEPALIVE)


def test_a_named_ping_is_a_keepalive_however_long_it_is() -> None:
    assert is_keepalive(read(event("ping", padding="x" * 1000)))


def test_an_error_of_any_length_is_one() -> None:
    assert after(event("error", error={"message": "x" * 200_000}), 1000).reported_error


PIECES = [
    START, TEXT, END, OPEN_END, STOP, ERROR, b": ping\n\n", b"\n", b"\r", b"\r\n", b"data", b": ", b"{", b'"error"',
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.integers(1, 90))
def test_how_the_bytes_are_cut_does_not_matter(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    cut, whole = after(stream, size), after(stream)
    assert (cut.finished, cut.reported_error) == (whole.finished, whole.reported_error)
