"""A stream of chat completions that ends in good order without a response has failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.wire.openai.stream_end import ChatStreamEnd, is_last_event
from clawgate.wire.sse.reader import Event, EventReader


def event(raw: bytes) -> Event:
    (read,) = EventReader().feed(raw)
    return read


def chunk(reason: str | None = None, model: str = "claude-opus-4", **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"model": model, "choices": [choice]}).encode()


def whole(content: str) -> bytes:
    choice = {"index": 0, "message": {"content": content}, "finish_reason": "stop"}
    return b"data: %b\n\n" % json.dumps({"model": "m", "choices": [choice]}).encode()


ROLE, WORD, STOP = chunk(role="assistant", content=""), chunk(content="po"), chunk("stop")
DONE = b"data: [DONE]\n\n"
MADE_UP = chunk("stop", "<synthetic>")


def found(*events: bytes) -> tuple[int | None, bool]:
    """The number of the event that shows the failure, and whether the response was finished."""
    end = ChatStreamEnd()
    for number, raw in enumerate(events):
        if (data := end.find_failure(event(raw))) is not None:
            assert data in raw
            return number, end.finished
    return None, end.finished


@pytest.mark.parametrize(
    ("events", "failed", "finished"),
    [
        ((b":ok\n\n", ROLE, WORD, STOP, DONE), None, True),
        ((WORD, STOP), None, True),
        ((chunk(tool_calls=[{"index": 0}]), chunk("tool_calls"), DONE), None, True),
        ((chunk(reasoning_content="hm"), chunk("stop")), None, True),
        ((chunk("stop", content="all at once"), DONE), None, True),
        ((whole("all at once"), DONE), None, True),
        ((ROLE, chunk("length"), DONE), None, True),  # all of it was spent on thinking
        ((chunk(content="x" * 70_000), STOP), None, True),
        ((ROLE, WORD), None, False),
        ((b":ok\n\n", MADE_UP, DONE), 1, True),
        ((ROLE, WORD, MADE_UP, DONE), 2, True),  # half of a response, and then what is none of the model's
        ((ROLE, STOP, DONE), 1, True),
        ((DONE,), 0, False),
        ((ROLE, WORD, DONE), 2, False),
        ((ROLE, chunk(content="data: [DONE]\n\n"), STOP, DONE), None, True),
        (
            (b"data: {\n\n", b"data: 7\n\n", b'data: {"choices":7}\n\n', b'data: {"choices":[7]}\n\n'),
            None,
            False,
        ),
        ((b"data: " + b"[" * 5000 + b"\n\n",), None, False),
    ],
)
def test_chat_stream_end_finds_the_failure_that_no_event_reports(
    events: tuple[bytes, ...], failed: int | None, finished: bool
) -> None:
    assert found(*events) == (failed, finished)


def test_the_last_event_is_known_by_its_data_or_its_name() -> None:
    last = (DONE, b"data:[DONE]\n\n", b'event: response.completed\ndata: {"type":"response.completed"}\n\n')
    assert all(is_last_event(event(raw)) for raw in last)
    others = (WORD, chunk(content="[DONE]"), b": [DONE]\n\n", b"event: response.created\ndata: {}\n\n")
    assert not any(is_last_event(event(raw)) for raw in others)
