"""Encodes the response of an agent: the events of a stream, or the body of a response without one.

Law: each event is complete, and only what is encoded once per response costs more than its text. Source of the shapes:
OpenClaw 2026.9.6, recorded. An error is an event like any other, and the end of the stream follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from clawgate.agents.run.step import Call, Usage
from clawgate.wire.openai.chunks import ChunkEncoder

_encode = msgspec.json.Encoder().encode


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return the usage of a run, summed over its model calls, as OpenAI has it."""
    counts: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
    if usage.reasoning_tokens:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return counts


class ChatEvents:
    """The events of one stream. ``response_id`` is ``chatcmpl_<uuid>``, ``model`` what the client wrote."""

    __slots__ = ("_chunks",)

    def __init__(self, response_id: str, created: int, model: str) -> None:
        self._chunks = ChunkEncoder(response_id, created, model, logprobs=False)

    def role(self) -> bytes:
        """Begins the stream, before anything of the model has come."""
        return self._chunks.chunk(b'{"role":"assistant"}')

    def content(self, text: str) -> bytes:
        return self._chunks.chunk(b'{"content":%b}' % _encode(text))

    def refusal(self, text: str) -> bytes:
        return self._chunks.chunk(b'{"refusal":%b}' % _encode(text))

    def call(self, index: int, call: Call) -> tuple[bytes, bytes]:
        """The two events of a call of the client's tools: what is called, and its arguments in one piece."""
        begun = {"index": index} | _call_object(call, "")
        return self._calls(begun), self._calls({"index": index, "function": {"arguments": call.arguments}})

    def _calls(self, call: dict[str, Any]) -> bytes:
        return self._chunks.chunk(b'{"tool_calls":[%b]}' % _encode(call))

    def finish(self, reason: str) -> bytes:
        return self._chunks.chunk(b"{}", finish=_encode(reason))

    def usage(self, usage: Usage) -> bytes:
        """The event for a client that requests it, behind the one that finishes."""
        return self._chunks.last({"usage": usage_object(usage)})


def _call_object(call: Call, arguments: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function} | dict(call.carried)


def with_event_id(event: bytes, event_id: str) -> bytes:
    """Return ``event`` with the id that a client sends as Last-Event-ID to resume the stream behind it."""
    return b"id: %b\n%b" % (event_id.encode("ascii"), event)


def encode_body(
    response_id: str,
    created: int,
    model: str,
    *,
    content: str,
    finish_reason: str,
    usage: Usage,
    calls: Sequence[Call] = (),
    refusal: str = "",
) -> bytes:
    """Return the body of a response without a stream. ``calls`` are those of the client's tools."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if refusal:
        message["refusal"] = refusal
    if calls:
        message["tool_calls"] = [_call_object(call, call.arguments) for call in calls]
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return _encode(
        {
            "id": response_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": usage_object(usage),
        }
    )
