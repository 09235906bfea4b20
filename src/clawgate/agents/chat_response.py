"""Encodes the response of an agent: the events of a stream, or the body of a response without one.

Law: each event is complete, and only what is encoded once per response costs more than its text. Source of the shapes:
OpenClaw 2026.9.6, recorded. An error is an event like any other, and the end of the stream follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

DONE = b"data: [DONE]\n\n"
"""Ends each stream, also one that failed."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, or of several: ``+`` sums them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    def as_json(self) -> dict[str, Any]:
        usage: dict[str, Any] = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }
        if self.reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        return usage


class ChatEvents:
    """The events of one stream. ``response_id`` is ``chatcmpl_<uuid>``, ``model`` what the client wrote."""

    __slots__ = ("_before", "_delta")

    def __init__(self, response_id: str, created: int, model: str) -> None:
        head = {"id": response_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._before = b'data: %b,"choices":[' % _encode(head)[:-1]
        self._delta = self._before + b'{"index":0,"delta":'

    def role(self) -> bytes:
        """Begins the stream, before anything of the model has come."""
        return self._chunk(b'{"role":"assistant"}')

    def content(self, text: str) -> bytes:
        return self._chunk(b'{"content":%b}' % _encode(text))

    def refusal(self, text: str) -> bytes:
        return self._chunk(b'{"refusal":%b}' % _encode(text))

    def tool_call(self, index: int, call_id: str, name: str) -> bytes:
        """Begins a call; its arguments follow."""
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": call_id, "type": "function", "function": function}
        return self._chunk(b'{"tool_calls":[%b]}' % _encode(call))

    def arguments(self, index: int, text: str) -> bytes:
        call = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
        return self._chunk(call % (index, _encode(text)))

    def finish(self, reason: str) -> bytes:
        return b'%b{},"finish_reason":%b}]}\n\n' % (self._delta, _encode(reason))

    def usage(self, usage: Usage) -> bytes:
        """The event for a client that requests it, behind the one that finishes."""
        return b'%b],"usage":%b}\n\n' % (self._before, _encode(usage.as_json()))

    def _chunk(self, delta: bytes) -> bytes:
        return b'%b%b,"finish_reason":null}]}\n\n' % (self._delta, delta)


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
    tool_calls: Sequence[dict[str, Any]] = (),
    refusal: str = "",
) -> bytes:
    """Return the body of a response without a stream. ``tool_calls`` are as in a message."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if refusal:
        message["refusal"] = refusal
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return _encode(
        {
            "id": response_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": usage.as_json(),
        }
    )
