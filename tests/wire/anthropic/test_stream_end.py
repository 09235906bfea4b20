"""A stream that passes as it is has ended only if the model said why it stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.anthropic.stream_end import MessagesStreamEnd, ends_message, error_in, keeps_warm
from clawgate.wire.sse.splitter import MOST_BYTES


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n".encode()


START = event("message_start", message={"stop_reason": None})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None})
OPEN_END = event("message_delta", delta={"stop_reason": None})
STOP = event("message_stop")
ERROR = event("error", error={"type": "api_error", "message": "killed"})


def after(stream: bytes, size: int = 0) -> MessagesStreamEnd:
    end = MessagesStreamEnd()
    size = size or len(stream) or 1
    for at in range(0, len(stream), size):
        end.feed(stream[at : at + size])
    return end


@pytest.mark.parametrize("size", [0, 1, 7, 64])
@pytest.mark.parametrize(
    ("stream", "finished", "said_error"),
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
        (b'data: {"type":"message_delta",\ndata: "delta":{"stop_reason":"end_turn"}}\n\n', True, False),
        (b'data: {"type":"message_delta","delta":{"stop_reason":7}}\n\n', False, False),
        (b'data: {"type":"message_delta","delta":"x"}\n\n', False, False),
        (b'data: {"type":"message_delta"}\n\n', False, False),
        (b'data: {"type":"message_delta","delta":' + b"[" * 5000 + b"\n\n", False, False),
    ],
)
def test_what_ends_a_stream(stream: bytes, finished: bool, said_error: bool, size: int) -> None:
    end = after(stream, size)
    assert (end.finished, end.said_error) == (finished, said_error)


def test_a_model_that_talks_about_the_end_has_not_ended() -> None:
    words = json.dumps({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    talk = event(
        "content_block_delta", delta={"type": "text_delta", "text": f'"error" event: error\n\ndata: {words}'}
    )
    tool = event(
        "content_block_start", content_block={"type": "tool_use", "input": {"error": "message_delta"}}
    )
    end = after(START + talk + tool)
    assert not end.finished and not end.said_error


def test_which_event_ends_a_message_and_which_tells_of_an_error() -> None:
    talk = event("content_block_delta", delta={"text": "message_stop stop_reason error"})
    broken = b"data: {message_stop\n\n"
    assert [ends_message(one) for one in (END, STOP)] == [True, True]
    assert not any(map(ends_message, (START, TEXT, OPEN_END, ERROR, talk, broken, b": message_stop\n\n")))
    assert error_in(ERROR) == ERROR.partition(b"data: ")[2].rstrip()
    assert not any(map(error_in, (START, TEXT, END, STOP, talk, broken, b": error\n\n")))


def test_what_only_says_that_somebody_is_there() -> None:
    warm = (b": ping\n\n", b"\n", event("ping"), b'data: {"type": "ping"}\n\n', b"event: ping\n\n")
    assert all(map(keeps_warm, warm))
    assert not any(map(keeps_warm, (START, TEXT, STOP, ERROR, b"data: ping\n\n", b"event: error\n\n")))


def test_the_reason_is_kept() -> None:
    assert after(START + TEXT + END + STOP).stop_reason == "end_turn"


def test_an_event_of_any_length_takes_bounded_room() -> None:
    """What comes behind it is read again."""
    end = MessagesStreamEnd()
    end.feed(b'data: {"type":"content_block_delta","delta":{"text":"')
    for _ in range(200):
        end.feed(b"message_delta " * 1000)
        assert len(end._events._open) <= 2 * MOST_BYTES
    end.feed(b'"}}\n\n' + END)
    assert end.finished


def test_an_error_of_any_length_is_one() -> None:
    assert after(event("error", error={"message": "x" * (3 * MOST_BYTES)}), 1000).said_error


def test_the_end_of_an_event_that_was_too_long_is_no_event_of_its_own() -> None:
    long = b'data: {"a":"' + b"x" * (2 * MOST_BYTES) + b'\ndata: {"type":"error"}\n\n'
    assert not after(long, 5000).said_error


PIECES = [
    START,
    TEXT,
    END,
    OPEN_END,
    STOP,
    ERROR,
    b": ping\n\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"data",
    b": ",
    b"{",
    b'"error"',
]


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.integers(1, 90))
def test_how_the_bytes_are_cut_does_not_matter(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    cut, whole = after(stream, size), after(stream)
    assert (cut.finished, cut.said_error, cut.stop_reason) == (
        whole.finished,
        whole.said_error,
        whole.stop_reason,
    )
