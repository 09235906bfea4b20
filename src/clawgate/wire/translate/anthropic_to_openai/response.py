"""Translates a chat completion into a message of Anthropic's API: stop reason, usage and content.

Complete responses and streams use the same rules. OpenAI counts cached tokens within `prompt_tokens`, Anthropic beside
`input_tokens`. Reasoning without a signature becomes a thinking block with an empty one: it can be shown, and
`anthropic_to_openai.messages` recognises it.
"""

from __future__ import annotations

from dataclasses import dataclass

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_upstream import completion as chat_completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames

ContentBlock = dict[str, object]

STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""OpenAI's finish reasons as Anthropic's stop reasons; any other one is "end_turn", and none is no end."""


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


def message(
    completion: chat.ChatCompletion,
    *,
    model: str,
    names: ToolNames,
    ids: CallIds,
    visible: tuple[str, ...] = (),
    decode_entities: bool = False,
) -> dict[str, object]:
    """Return the message object for a complete response.

    Raises `UpstreamMalformed` without a choice, for a call of no function, and without a finish reason: a response that
    was cut must not look finished. Raises `UpstreamFailed` for a response that reports an error. ``visible`` are the
    types of reasoning details that are text; with ``decode_entities`` arguments contain HTML entities.
    """
    if not completion.choices:
        raise UpstreamMalformed("the upstream's response has no choices")
    choice = completion.choices[0]
    delta = choice.message
    if choice.error or choice.finish_reason == chat_completion.FAILED:
        raise (
            upstream_errors.error_in_json({"error": choice.error}) or upstream_errors.UNSPECIFIED
        ).as_failure()
    if not choice.finish_reason:
        raise UpstreamMalformed("the upstream's response has no finish_reason: it may be incomplete")
    opaque = chat_completion.opaque_members_of_message(delta, visible)
    content = _thinking(delta)
    texts: list[ContentBlock] = []
    for kind, piece in lenient.content_parts(delta.content):
        if kind == "text":
            texts.append({"type": "text", "text": piece})
        else:
            texts.append({"type": "thinking", "thinking": piece, "signature": ""})
    refusal = lenient.as_word(delta.refusal)
    texts += [
        {"type": "text", "text": text}
        for text in (chat_completion.visible_details(delta, visible), refusal)
        if text
    ]
    calls = [
        _Call(completion, choice.finish_reason, names, ids, decode_entities).block(
            call, opaque if not number else None
        )
        for number, call in enumerate(chat_completion.calls_of(delta))
    ]
    _sign(content, ids, opaque, _too_long_for_ids(chat_completion.calls_of(delta), calls, ids))
    content += texts
    content += [call for call in calls if call is not None]
    return {
        "id": ids.message_id(completion.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason(choice.finish_reason, called=bool(calls), refused=bool(refusal)),
        "stop_sequence": None,
        "usage": usage(completion.usage or choice.usage),
    }


def _thinking(delta: chat.ChoiceDelta) -> list[ContentBlock]:
    blocks: list[ContentBlock] = []
    for entry in delta.thinking_blocks or ():
        if entry.type == "redacted_thinking":
            blocks.append({"type": entry.type, "data": entry.data or ""})
        elif entry.type == "thinking":
            blocks.append(
                {"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature or ""}
            )
    if not blocks and (reasoning := chat_completion.reasoning_of(delta)):
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": ""})
    return blocks


def _too_long_for_ids(
    sent: list[chat.ToolCallPiece], blocks: list[ContentBlock | None], ids: CallIds
) -> dict[str, dict[str, object]]:
    """Return the opaque members of calls whose ids do not carry them, by these ids."""
    left = {}
    for call, block in zip(sent, blocks, strict=True):
        own = chat_completion.opaque_members_of_call(call)
        if own and block is not None and not ids.carries_state(str(block["id"])):
            left[str(block["id"])] = own
    return left


def _sign(
    content: list[ContentBlock],
    ids: CallIds,
    opaque: dict[str, object],
    of_calls: dict[str, dict[str, object]],
) -> None:
    """Put a signature into the last block of thinking that has none, or into one without words.

    An upstream that signs blocks says the same in its opaque members: a call carries them, and no further block.
    """
    is_signed = any(block.get("signature") or block.get("data") for block in content)
    signature = ids.signature(message=None if is_signed else opaque, calls=of_calls)
    if not signature:
        return
    for block in reversed(content):
        if block["type"] == "thinking" and not block["signature"]:
            block["signature"] = signature
            return
    content.append({"type": "thinking", "thinking": "", "signature": signature})


@dataclass(frozen=True, slots=True)
class _Call:
    """What the calls of one response have in common."""

    completion: chat.ChatCompletion
    finish: str
    names: ToolNames
    ids: CallIds
    decode_entities: bool

    def block(self, call: chat.ToolCallPiece, message: dict[str, object] | None) -> ContentBlock | None:
        """Return the call as a block; None for one that the token limit cut off, which cannot be run.

        ``message`` are opaque members of the message. Arguments that are no JSON object for another reason are kept as
        text under `strict.RAW`: the tool rejects them, and the model can correct them.
        """
        if call.function is None or not call.function.name:
            raise UpstreamMalformed("the upstream's response calls something that is not a function")
        arguments = chat_completion.arguments_text(call.function.arguments)
        if self.finish == "length" and strict.parse_arguments(arguments) is None:
            return None
        parsed = strict.arguments_or_raw(arguments)
        own = chat_completion.opaque_members_of_call(call)
        return {
            "type": "tool_use",
            "id": self.ids.to_client(call.id, self.completion.id, call=own, message=message),
            "name": self.names.restore(call.function.name),
            "input": chat_completion.without_entities(parsed) if self.decode_entities else parsed,
        }
