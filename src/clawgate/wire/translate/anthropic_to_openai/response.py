"""What does a client of Anthropic's Messages API read when a chat completion has answered?

Stop reasons, usage and content, for whole answers and for streams alike. OpenAI counts cached tokens within
`prompt_tokens`, Anthropic beside `input_tokens`. Reasoning that comes without a signature becomes a thinking block
with an empty one: it can be shown, and `messages_conversation` knows it again.
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
"""OpenAI's finish reasons as Anthropic's stop reasons; one that is not here reads as "end_turn", and none is no end."""

UNNAMED = "msg_unnamed"
"""The id of an answer that came without one."""

FAILED = "error"
"""OpenRouter's finish reason where the provider behind it broke off."""


def stop_reason(finish: str, *, called: bool, refused: bool) -> str:
    """Why the model stopped. What it did counts for more than what the server calls it.

    Some servers finish a tool call with "stop", and a client that waits for "tool_use" would not run the tool.
    """
    if refused:
        return "refusal"
    reason = STOP.get(finish, "end_turn")
    if reason in ("end_turn", "tool_use"):
        return "tool_use" if called else "end_turn"
    return reason


def usage(counts: object) -> dict[str, object]:
    """The counts of a chat completion in Anthropic's fields; zeros where the upstream said nothing of sense."""

    def of(name: str, inside: object = counts) -> int:
        return lenient.as_int(lenient.as_member(inside, name)) or 0

    prompt = lenient.as_member(counts, "prompt_tokens_details")
    read, write = of("cached_tokens", prompt), of("cache_write_tokens", prompt)
    told: dict[str, object] = {
        "input_tokens": max(0, of("prompt_tokens") - read - write),
        "output_tokens": of("completion_tokens"),
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
    }
    thought = lenient.as_int(
        lenient.as_member(lenient.as_member(counts, "completion_tokens_details"), "reasoning_tokens")
    )
    if thought is not None:
        told["output_tokens_details"] = {"thinking_tokens": thought}
    return told


def reasoning_of(said: chat.ChoiceDelta) -> str:
    """What the model thought aloud: `reasoning_content`, or `reasoning` as other servers call it."""
    return lenient.as_word(said.reasoning_content) or lenient.as_word(said.reasoning) or ""


def written(arguments: str | chat.Json | None) -> str:
    """A call's arguments as text, as most servers write them."""
    return strict.encode_response(arguments).decode() if isinstance(arguments, dict) else arguments or ""


def message(answer: chat.ChatCompletion, *, model: str, names: ToolNames) -> dict[str, object]:
    """The message object for a whole answer.

    Raises `UpstreamMalformed` without a choice, for a call of no function, and where the model does not say why it
    stopped: an answer that was cut must not look finished. Raises `UpstreamFailed` where it says that it failed.
    """
    if not answer.choices:
        raise UpstreamMalformed("the upstream's answer has no choices")
    choice = answer.choices[0]
    said = choice.message
    if choice.error or choice.finish_reason == FAILED:
        raise (
            upstream_errors.error_in_json({"error": choice.error}) or upstream_errors.UNSPECIFIED
        ).as_failure()
    if not choice.finish_reason:
        raise UpstreamMalformed("the upstream's answer has no finish_reason: it may not be whole")
    content = _thinking(said)
    for kind, piece in lenient.content_parts(said.content):
        if kind == "text":
            content.append({"type": "text", "text": piece})
        else:
            content.append({"type": "thinking", "thinking": piece, "signature": ""})
    refusal = lenient.as_word(said.refusal)
    if refusal:
        content.append({"type": "text", "text": refusal})
    told = calls_of(said)
    calls = [_call(answer.id, number, call, choice.finish_reason, names) for number, call in enumerate(told)]
    content += [call for call in calls if call is not None]
    return {
        "id": lenient.as_word(answer.id) or UNNAMED,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason(choice.finish_reason, called=bool(calls), refused=bool(refusal)),
        "stop_sequence": None,
        "usage": usage(answer.usage),
    }


def calls_of(said: chat.ChoiceDelta) -> list[chat.ToolCallPiece]:
    """The calls, or the one call of the old form, where there is no new one beside it."""
    if said.tool_calls:
        return said.tool_calls
    old = said.function_call
    return [chat.ToolCallPiece(function=old)] if old is not None and (old.name or old.arguments) else []


def _thinking(said: chat.ChoiceDelta) -> list[ContentBlock]:
    blocks: list[ContentBlock] = []
    for entry in said.thinking_blocks or ():
        if entry.type == "redacted_thinking":
            blocks.append({"type": entry.type, "data": entry.data or ""})
        elif entry.type == "thinking":
            blocks.append(
                {"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature or ""}
            )
    if not blocks and (reasoning := reasoning_of(said)):
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": ""})
    return blocks


def _call(
    answer: object, number: int, call: chat.ToolCallPiece, finish: str, names: ToolNames
) -> ContentBlock | None:
    """The call as a block; None for one that the token limit cut off, which nobody can run.

    Arguments that are no JSON object for another reason stand whole under `strict.RAW`: the tool will refuse
    them, and the model can mend them.
    """
    if call.function is None or not call.function.name:
        raise UpstreamMalformed("the upstream's answer calls something that is not a function")
    given = written(call.function.arguments)
    if finish == "length" and strict.parse_arguments(given) is None:
        return None
    return {
        "type": "tool_use",
        "id": lenient.call_id(call.id, answer, number),
        "name": names.own(call.function.name),
        "input": strict.arguments_or_raw(given),
    }
