"""What does a chat client read when Anthropic's Messages API has answered?

Stop reasons, usage and content, for whole answers and for streams alike. Anthropic counts cached tokens beside
`input_tokens`, OpenAI within `prompt_tokens`. Thinking is given twice: as `reasoning_content`, the string that
many clients show, and as `thinking_blocks`, whose signatures a tool loop has to send back.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict

FINISH = {
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons as OpenAI's finish reasons, but for the two of `finish_reason`; one that is not here reads
as "stop", and none is no end."""

UNNAMED = "chatcmpl_unnamed"
"""The id of an answer that came without one."""

TIERS = {"standard": "default", "priority": "priority"}


def finish_reason(stop: str, *, called: bool) -> str:
    """Why the model stopped. What it did counts for more than what the server calls it.

    Some servers end a tool call with "end_turn", and a client that waits for "tool_calls" would not run the tool.
    """
    if stop in ("end_turn", "tool_use"):
        return "tool_calls" if called else "stop"
    return FINISH.get(stop, "stop")


def usage(counts: object) -> dict[str, object]:
    """Anthropic's counts as the usage object of a chat completion; zeros for what cannot be understood."""

    def of(name: str) -> int:
        return lenient.as_int(lenient.as_member(counts, name)) or 0

    read, write = of("cache_read_input_tokens"), of("cache_creation_input_tokens")
    prompt = of("input_tokens") + read + write
    completion = of("output_tokens")
    thought = lenient.as_int(
        lenient.as_member(lenient.as_member(counts, "output_tokens_details"), "thinking_tokens")
    )
    told: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
    }
    if thought is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": thought}
    return told


def thinking_entry(block: messages.ContentBlock) -> dict[str, object]:
    """A thinking block as an entry of `thinking_blocks`."""
    if block.type == "redacted_thinking":
        return {"type": block.type, "data": lenient.as_text(block.data)}
    return {
        "type": "thinking",
        "thinking": lenient.as_text(block.thinking),
        "signature": lenient.as_text(block.signature),
    }


def arguments_of(block: messages.ContentBlock) -> str:
    """The text of a call's arguments; some servers write them as text already."""
    if isinstance(block.input, dict):
        return strict.encode_response(block.input).decode()
    return lenient.as_word(block.input) or "{}"


def completion(answer: messages.MessageResponse, *, model: str, created: int) -> dict[str, object]:
    """The chat completion object for a whole answer.

    Raises `UpstreamMalformed` for a call of no tool, and where the model does not say why it stopped: an answer that
    was cut must not look finished.
    """
    if not answer.stop_reason:
        raise UpstreamMalformed("the upstream's answer has no stop_reason: it may not be whole")
    text: list[str] = []
    reasoning: list[str] = []
    thinking: list[dict[str, object]] = []
    calls: list[dict[str, object]] = []
    for block in answer.content:
        match block.type:
            case "text":
                text.append(lenient.as_text(block.text))
            case "thinking":
                reasoning.append(lenient.as_text(block.thinking))
                thinking.append(thinking_entry(block))
            case "redacted_thinking":
                thinking.append(thinking_entry(block))
            case "tool_use":
                calls.append(_call(answer.id, len(calls), block))
            case _:
                pass  # a tool that the service itself ran, or a type that is newer than this page
    refused = answer.stop_reason == "refusal"
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(text) if text or not (calls or refused) else None,
        "refusal": lenient.as_word(lenient.as_member(answer.stop_details, "explanation"))
        if refused
        else None,
    }
    if thinking:
        message["reasoning_content"] = "".join(reasoning)
        message["thinking_blocks"] = thinking
    if calls:
        message["tool_calls"] = calls
    told: dict[str, object] = {
        "id": lenient.as_word(answer.id) or UNNAMED,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": finish_reason(answer.stop_reason, called=bool(calls)),
            }
        ],
    }
    if answer.usage is not None:
        told["usage"] = usage(answer.usage)
        tier = lenient.as_word(lenient.as_member(answer.usage, "service_tier"))
        if tier in TIERS:
            told["service_tier"] = TIERS[tier]
    return told


def _call(answer: object, number: int, block: messages.ContentBlock) -> dict[str, object]:
    name = lenient.as_word(block.name)
    if name is None:
        raise UpstreamMalformed("the upstream's answer calls a tool without a name")
    function = {"name": name, "arguments": arguments_of(block)}
    return {"id": lenient.call_id(block.id, answer, number), "type": "function", "function": function}
