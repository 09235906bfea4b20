"""Each chunk is whole: the head of its stream, and a piece of the response."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.wire.openai.chunks import ChunkEncoder

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": 'm"\u20ac'}


def read(event: bytes) -> Any:
    assert event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2
    return json.loads(event[6:])


@pytest.mark.parametrize("logprobs", [True, False])
def test_a_chunk_has_the_head_and_its_piece(logprobs: bool) -> None:
    chunks = ChunkEncoder("c", 5, HEAD["model"], logprobs=logprobs)  # type: ignore[arg-type]  # a text
    known = {"logprobs": None} if logprobs else {}
    choice = {"index": 0, "delta": {"content": "x"}, **known, "finish_reason": None}
    assert read(chunks.chunk(b'{"content":"x"}')) == HEAD | {"choices": [choice]}
    given = read(chunks.chunk(b"{}", finish=b'"stop"', logprobs=b'{"content":[]}'))["choices"]
    assert given == [{"index": 0, "delta": {}, "logprobs": {"content": []}, "finish_reason": "stop"}]


def test_the_last_event_has_no_choice() -> None:
    last = ChunkEncoder("c", 5, "m").last({"usage": {"total_tokens": 1}, "service_tier": "flex"})
    assert read(last) == HEAD | {
        "model": "m", "choices": [], "usage": {"total_tokens": 1}, "service_tier": "flex",
    }  # fmt: skip
