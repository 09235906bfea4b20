"""Translates a chat completion into a message of Anthropic's API: stop reason, usage and content.

Complete responses and streams use the same rules. OpenAI counts cached tokens within `prompt_tokens`, Anthropic beside
`input_tokens`. Reasoning without a signature becomes a thinking block with an empty one: it can be shown, and
`anthropic_to_openai.messages` recognises it.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames

ContentBlock = dict[str, object]

STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""OpenAI's finish reasons as Anthropic's stop reasons; any other one is "end_turn", and none is no end."""

FAILED = "error"
"""OpenRouter's finish reason if the provider behind it failed."""


def stop_reason(finish: str, *, called: bool, refused: bool) -> str:
    """Return why the model stopped. What it did counts for more than the server's word for it.

    Some servers finish a tool call with "stop", and a client that waits for "tool_use" would not run the tool.
    """
    if refused:
        return "refusal"
    reason = STOP.get(finish, "end_turn")
    if reason in ("end_turn", "tool_use"):
        return "tool_use" if called else "end_turn"
    return reason


def usage(counts: object) -> dict[str, object]:
    """Return the counts of a chat completion in Anthropic's fields; zeros for what makes no sense."""

    def of(name: str, inside: object = counts) -> int:
        return lenient.as_int(lenient.as_member(inside, name)) or 0

    prompt = lenient.as_member(counts, "prompt_tokens_details")
    read, write = of("cached_tokens", prompt), of("cache_write_tokens", prompt)
    result: dict[str, object] = {
        "input_tokens": max(0, of("prompt_tokens") - read - write),
        "output_tokens": of("completion_tokens"),
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
    }
    thought = lenient.as_int(
        lenient.as_member(lenient.as_member(counts, "completion_tokens_details"), "reasoning_tokens")
    )
    if thought is not None:
        result["output_tokens_details"] = {"thinking_tokens": thought}
    return result


def reasoning_of(delta: chat.ChoiceDelta) -> str:
    """Return the model's visible reasoning: `reasoning_content`, or `reasoning` as some servers name it."""
    return lenient.as_word(delta.reasoning_content) or lenient.as_word(delta.reasoning) or ""


def arguments_text(arguments: str | chat.Json | None) -> str:
    """Return a call's arguments as text; some servers send an object."""
    return strict.encode_response(arguments).decode() if isinstance(arguments, dict) else arguments or ""


def message(completion: chat.ChatCompletion, *, model: str, names: ToolNames) -> dict[str, object]:
    """Return the message object for a complete response.

    Raises `UpstreamMalformed` without a choice, for a call of no function, and without a finish reason: a response that
    was cut must not look finished. Raises `UpstreamFailed` for a response that reports an error.
    """
    if not completion.choices:
        raise UpstreamMalformed("the upstream's response has no choices")
    choice = completion.choices[0]
    delta = choice.message
    if choice.error or choice.finish_reason == FAILED:
        raise (
            upstream_errors.error_in_json({"error": choice.error}) or upstream_errors.UNSPECIFIED
        ).as_failure()
    if not choice.finish_reason:
        raise UpstreamMalformed("the upstream's response has no finish_reason: it may be incomplete")
    content = _thinking(delta)
    for kind, piece in lenient.content_parts(delta.content):
        if kind == "text":
            content.append({"type": "text", "text": piece})
        else:
            content.append({"type": "thinking", "thinking": piece, "signature": ""})
    refusal = lenient.as_word(delta.refusal)
    if refusal:
        content.append({"type": "text", "text": refusal})
    result = calls_of(delta)
    calls = [
        _call(completion.id, number, call, choice.finish_reason, names) for number, call in enumerate(result)
    ]
    content += [call for call in calls if call is not None]
    return {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason(choice.finish_reason, called=bool(calls), refused=bool(refusal)),
        "stop_sequence": None,
        "usage": usage(completion.usage),
    }


def calls_of(delta: chat.ChoiceDelta) -> list[chat.ToolCallPiece]:
    """Return the tool calls; the one call of the old form only if there is no other."""
    if delta.tool_calls:
        return delta.tool_calls
    old = delta.function_call
    return [chat.ToolCallPiece(function=old)] if old is not None and (old.name or old.arguments) else []


def _thinking(delta: chat.ChoiceDelta) -> list[ContentBlock]:
    blocks: list[ContentBlock] = []
    for entry in delta.thinking_blocks or ():
        if entry.type == "redacted_thinking":
            blocks.append({"type": entry.type, "data": entry.data or ""})
        elif entry.type == "thinking":
            blocks.append(
                {"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature or ""}
            )
    if not blocks and (reasoning := reasoning_of(delta)):
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": ""})
    return blocks


def _call(
    completion: object, number: int, call: chat.ToolCallPiece, finish: str, names: ToolNames
) -> ContentBlock | None:
    """Return the call as a block; None for one that the token limit cut off, which cannot be run.

    Arguments that are no JSON object for another reason are kept as text under `strict.RAW`: the tool rejects them, and
    the model can correct them.
    """
    if call.function is None or not call.function.name:
        raise UpstreamMalformed("the upstream's response calls something that is not a function")
    arguments = arguments_text(call.function.arguments)
    if finish == "length" and strict.parse_arguments(arguments) is None:
        return None
    return {
        "type": "tool_use",
        "id": lenient.call_id(call.id, completion, number),
        "name": names.restore(call.function.name),
        "input": strict.arguments_or_raw(arguments),
    }
