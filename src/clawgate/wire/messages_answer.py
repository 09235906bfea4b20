"""What does a client of Anthropic's Messages API read when a chat completion has answered?

Stop reasons, usage and content, for whole answers and for streams alike. OpenAI counts cached tokens within
`prompt_tokens`, Anthropic beside `input_tokens`. Reasoning that comes without a signature becomes a thinking block
with an empty one: it can be shown, and `messages_conversation` knows it again.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire import chat_shapes as chat
from clawgate.wire import strict_json

Block = dict[str, object]

STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""OpenAI's finish reasons as Anthropic's stop reasons; one that is not here reads as "end_turn"."""


def stop_reason(finish: str | None, *, called: bool, refused: bool) -> str:
    """Why the model stopped. What it did counts for more than what the server calls it.

    Some servers finish a tool call with "stop", and a client that waits for "tool_use" would not run the tool.
    """
    if refused:
        return "refusal"
    reason = STOP.get(finish or "", "end_turn")
    if reason in ("end_turn", "tool_use"):
        return "tool_use" if called else "end_turn"
    return reason


def usage(counts: chat.Usage | None) -> dict[str, object]:
    """The counts of a chat completion in Anthropic's fields; zeros where the upstream said nothing."""
    counts = counts or chat.Usage()
    prompt = counts.prompt_tokens_details or chat.PromptDetails()
    read, write = prompt.cached_tokens or 0, prompt.cache_write_tokens or 0
    told: dict[str, object] = {
        "input_tokens": max(0, (counts.prompt_tokens or 0) - read - write),
        "output_tokens": counts.completion_tokens or 0,
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
    }
    details = counts.completion_tokens_details
    if details is not None and details.reasoning_tokens is not None:
        told["output_tokens_details"] = {"thinking_tokens": details.reasoning_tokens}
    return told


def reasoning_of(said: chat.AnswerMessage | chat.Delta) -> str:
    """What the model thought aloud: `reasoning_content`, or `reasoning` as other servers call it."""
    if said.reasoning_content:
        return said.reasoning_content
    return said.reasoning if isinstance(said.reasoning, str) else ""


def message(answer: chat.Answer, *, model: str) -> dict[str, object]:
    """The message object for a whole answer; raises `UpstreamMalformed` without a choice, or for a broken call."""
    if not answer.choices:
        raise UpstreamMalformed("the upstream's answer has no choices")
    choice = answer.choices[0]
    said = choice.message
    content = _thinking(said)
    for text in (said.content, said.refusal):
        if text:
            content.append({"type": "text", "text": text})
    calls = [_call(number, call, choice.finish_reason) for number, call in enumerate(said.tool_calls or ())]
    content += [call for call in calls if call is not None]
    return {
        "id": answer.id or "msg_unnamed",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason(choice.finish_reason, called=bool(calls), refused=bool(said.refusal)),
        "stop_sequence": None,
        "usage": usage(answer.usage),
    }


def _thinking(said: chat.AnswerMessage) -> list[Block]:
    blocks: list[Block] = []
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


def _call(number: int, call: chat.AnswerCall, finish: str | None) -> Block | None:
    """The call as a block; None for one that the token limit cut off, which nobody can run."""
    if call.function is None:
        raise UpstreamMalformed("the upstream's answer calls something that is not a function")
    given = strict_json.arguments(call.function.arguments)
    if given is None and finish == "length":
        return None
    if given is None:
        raise UpstreamMalformed(
            f"the upstream's model called the tool {call.function.name!r} with arguments that are not a JSON object"
        )
    return {"type": "tool_use", "id": call.id or f"call_{number}", "name": call.function.name, "input": given}
