"""A stream of a chat upstream means the same to every client: where it ends, and what of it counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.anthropic_to_openai.stream import MessagesStream
from clawgate.wire.translate.chat_upstream.stream import ChatUpstreamStream
from tests.wire.translate.responses_to_chat import test_stream as responses

Make = Callable[[], ChatUpstreamStream]
EACH = pytest.mark.parametrize(
    "make", [lambda: MessagesStream(model="m"), responses.stream], ids=["messages", "responses"]
)


def chunk(delta: dict[str, Any] | None, finish: str | None = None, index: int = 0, **more: Any) -> Event:
    choice = (
        {"index": index, "finish_reason": finish} | ({"delta": delta} if delta is not None else {}) | more
    )
    return Event(b"", b"", json.dumps({"id": "c", "choices": [choice]}).encode())


DONE = Event(b"", b"", b"[DONE]")


def fed(stream: ChatUpstreamStream, *events: Event) -> bytes:
    out: list[bytes] = []
    for event in events:
        stream.feed(event, out)
    return b"".join(out)


@EACH
def test_a_stream_without_a_finish_reason_was_cut(make: Make) -> None:
    stream = make()
    fed(stream, chunk({"content": "Hi"}))
    with pytest.raises(UpstreamClosed, match="before a finish_reason"):
        stream.end([])
    with pytest.raises(UpstreamMalformed, match="without a finish_reason"):
        stream.feed(DONE, [])
    assert not stream.finished


@EACH
def test_a_finish_reason_and_done_or_the_end_of_the_bytes_end_it(make: Make) -> None:
    by_done, by_end = make(), make()
    fed(by_done, chunk({"content": "Hi"}, "stop"), DONE)
    fed(by_end, chunk({"content": "Hi"}, "stop"))
    assert not by_end.finished
    by_end.end([])
    assert by_done.finished and by_end.finished


@EACH
def test_only_the_first_choice_counts(make: Make) -> None:
    out = fed(make(), chunk({"content": "seen"}), chunk({"content": "other"}, index=1))
    assert b"seen" in out and b"other" not in out


@EACH
def test_a_complete_message_counts_where_nothing_came_before(make: Make) -> None:
    whole = chunk(None, "stop", message={"role": "assistant", "content": "whole"})
    assert b"whole" in fed(make(), whole)
    assert b"whole" not in fed(make(), chunk({"content": "pieces"}), whole)


@EACH
def test_a_call_without_a_name_fails(make: Make) -> None:
    stream = make()
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]}
    with pytest.raises(UpstreamMalformed, match="without a name"):
        fed(stream, chunk(call, "tool_calls"), DONE)
