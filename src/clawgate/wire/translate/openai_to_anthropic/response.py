"""Translates a message of Anthropic's API into a chat completion: finish reason, usage and content.

Complete responses and streams use the same rules. Anthropic counts cached tokens beside `input_tokens`, OpenAI within
`prompt_tokens`. Thinking is sent as `reasoning_content`, the string that many clients show, and with the signatures
that a tool loop has to send back, see `thinking`.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict
from clawgate.wire.translate.openai_to_anthropic.thinking import (
    is_signed,
    reasoning_detail,
    thinking_detail,
    thinking_entry,
)

FINISH = {
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons as OpenAI's finish reasons, but for the two of `finish_reason`; any other one is "stop", and
none is no end."""

TIERS = {"standard": "default", "priority": "priority"}


def finish_reason(stop: str, *, called: bool) -> str:
    """Return why the model stopped. What it did counts for more than the server's word for it.

    Some servers end a tool call with "end_turn", and a client that waits for "tool_calls" would not run the tool.
    """
    if stop in ("end_turn", "tool_use"):
        return "tool_calls" if called else "stop"
    return FINISH.get(stop, "stop")


def usage(counts: object) -> dict[str, object]:
    """Return Anthropic's counts as the usage object of a chat completion; zeros for what makes no sense."""

    def of(name: str) -> int:
        return lenient.as_int(lenient.as_member(counts, name)) or 0

    read, write = of("cache_read_input_tokens"), of("cache_creation_input_tokens")
    prompt = of("input_tokens") + read + write
    completion = of("output_tokens")
    thought = lenient.as_int(
        lenient.as_member(lenient.as_member(counts, "output_tokens_details"), "thinking_tokens")
    )
    result: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
    }
    if thought is not None:
        result["completion_tokens_details"] = {"reasoning_tokens": thought}
    return result


def arguments_of(block: messages.ContentBlock) -> str:
    """Return a call's arguments as text; some servers send text already."""
    if isinstance(block.input, dict):
        return strict.encode_response(block.input).decode()
    return lenient.as_word(block.input) or "{}"


def completion(
    response: messages.MessageResponse, *, model: str, created: int, provider: str = ""
) -> dict[str, object]:
    """Return the chat completion object for a complete response of ``provider``.

    Raises `UpstreamMalformed` for a call of no tool, and without a stop reason: a response that was cut must not look
    finished.
    """
    if not response.stop_reason:
        raise UpstreamMalformed("the upstream's response has no stop_reason: it may be incomplete")
    message = _message(response, provider)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason(response.stop_reason, called="tool_calls" in message),
    }
    result: dict[str, object] = {
        "id": response.id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
    }
    if response.usage is not None:
        result["usage"] = usage(response.usage)
        tier = lenient.as_word(lenient.as_member(response.usage, "service_tier"))
        if tier in TIERS:
            result["service_tier"] = TIERS[tier]
    return result


def _message(response: messages.MessageResponse, provider: str) -> dict[str, object]:
    text: list[str] = []
    reasoning: list[str] = []
    thinking: list[dict[str, object]] = []
    calls: list[dict[str, object]] = []
    details: list[dict[str, object]] = []
    carried = 0  # thinking that a call carries
    for block in response.content:
        match block.type:
            case "text":
                text.append(lenient.as_text(block.text))
            case "thinking" | "redacted_thinking":
                reasoning.append(lenient.as_text(block.thinking))
                thinking.append(thinking_entry(block))
                details.append(reasoning_detail(block, provider))
            case "tool_use":
                calls.append(_call(response.id, len(calls), block))
                if signed := [entry for entry in thinking[carried:] if is_signed(entry)]:
                    details.append(thinking_detail(str(calls[-1]["id"]), signed, provider))
                carried = len(thinking)
            case _:
                pass  # a tool that the service itself ran, or a newer type
    refused = response.stop_reason == "refusal"
    explanation = lenient.as_word(lenient.as_member(response.stop_details, "explanation"))
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(text) if text or not (calls or refused) else None,
        "refusal": explanation if refused else None,
    }
    if thinking:
        message["reasoning_content"] = "".join(reasoning)
        message["thinking_blocks"] = thinking
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def _call(response_id: object, number: int, block: messages.ContentBlock) -> dict[str, object]:
    name = lenient.as_word(block.name)
    if name is None:
        raise UpstreamMalformed("the upstream's response calls a tool without a name")
    function = {"name": name, "arguments": arguments_of(block)}
    return {"id": lenient.call_id(block.id, response_id, number), "type": "function", "function": function}
