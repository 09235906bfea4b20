"""A stream of chat completions that ends in good order without an answer has failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.wire.openai.stream_end import ChatStreamEnd


def chunk(reason: str | None = None, model: str = "claude-opus-4", **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"model": model, "choices": [choice]}).encode()


ROLE, WORD, STOP = chunk(role="assistant", content=""), chunk(content="po"), chunk("stop")
DONE = b"data: [DONE]\n\n"
MADE_UP = chunk("stop", "<synthetic>")


def judged(*events: bytes) -> tuple[int | None, bool]:
    """The number of the event that tells of the failure, and whether the answer was finished."""
    end = ChatStreamEnd()
    for number, event in enumerate(events):
        if (data := end.failed(event)) is not None:
            assert data in event
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
        ((ROLE, chunk("length"), DONE), None, True),  # all of it was spent on thinking
        ((ROLE, WORD), None, False),
        ((b":ok\n\n", MADE_UP, DONE), 1, True),
        ((ROLE, WORD, MADE_UP, DONE), 2, True),  # half of an answer, and then what is none of the model's
        ((ROLE, STOP, DONE), 1, True),
        ((DONE,), 0, False),
        ((ROLE, WORD, DONE), 2, False),
        (
            (b"data: {\n\n", b"data: 7\n\n", b'data: {"choices":7}\n\n', b'data: {"choices":[7]}\n\n'),
            None,
            False,
        ),
        ((b"data: " + b"[" * 5000 + b"\n\n",), None, False),
    ],
)
def test_what_ends_an_answer_and_what_only_ends(
    events: tuple[bytes, ...], failed: int | None, finished: bool
) -> None:
    assert judged(*events) == (failed, finished)
