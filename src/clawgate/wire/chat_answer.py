"""What does a chat client read when Anthropic's Messages API has answered?

Stop reasons, usage and content, for whole answers and for streams alike. Anthropic counts cached tokens beside
`input_tokens`, OpenAI within `prompt_tokens`. Thinking is given twice: as `reasoning_content`, the string that
many clients show, and as `thinking_blocks`, whose signatures a tool loop has to send back.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire import loose, strict_json
from clawgate.wire import messages_shapes as messages

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons as OpenAI's finish reasons; one that is not here reads as "stop", and none is no end."""

TIERS = {"standard": "default", "priority": "priority"}


def usage(counts: object) -> dict[str, object]:
    """Anthropic's counts as the usage object of a chat completion; zeros for what cannot be understood."""

    def of(name: str) -> int:
        return loose.count(loose.member(counts, name)) or 0

    read, write = of("cache_read_input_tokens"), of("cache_creation_input_tokens")
    prompt = of("input_tokens") + read + write
    completion = of("output_tokens")
    thought = loose.count(loose.member(loose.member(counts, "output_tokens_details"), "thinking_tokens"))
    told: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
    }
    if thought is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": thought}
    return told


def thinking_entry(block: messages.Block) -> dict[str, object]:
    """A thinking block as an entry of `thinking_blocks`."""
    if block.type == "redacted_thinking":
        return {"type": block.type, "data": block.data}
    return {"type": "thinking", "thinking": block.thinking, "signature": block.signature or ""}


def completion(answer: messages.Answer, *, model: str, created: int) -> dict[str, object]:
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
                text.append(block.text)
            case "thinking":
                reasoning.append(block.thinking)
                thinking.append(thinking_entry(block))
            case "redacted_thinking":
                thinking.append(thinking_entry(block))
            case "tool_use":
                calls.append(_call(block))
            case _:
                pass  # a tool that the service itself ran, or a type that is newer than this page
    refused = answer.stop_reason == "refusal" and answer.stop_details is not None
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(text) if text else None,
        "refusal": answer.stop_details.explanation if refused and answer.stop_details else None,
    }
    if thinking:
        message["reasoning_content"] = "".join(reasoning)
        message["thinking_blocks"] = thinking
    if calls:
        message["tool_calls"] = calls
    told: dict[str, object] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": FINISH.get(answer.stop_reason, "stop"),
            }
        ],
    }
    if answer.usage is not None:
        told["usage"] = usage(answer.usage)
        tier = loose.word(loose.member(answer.usage, "service_tier"))
        if tier in TIERS:
            told["service_tier"] = TIERS[tier]
    return told


def _call(block: messages.Block) -> dict[str, object]:
    if not block.id or not block.name:
        raise UpstreamMalformed("the upstream's answer calls a tool without an id or a name")
    arguments = strict_json.write_answer(block.input or {}).decode()
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}
