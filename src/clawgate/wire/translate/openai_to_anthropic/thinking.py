"""Carries a model's thinking to a chat client, and what the client kept of it back into its turn.

Anthropic signs thinking or encrypts it, and wants it back in a tool loop as it was. Clients keep different fields:
`thinking_blocks`, which has Anthropic's own form, or `reasoning_details`, OpenRouter's. Of these OpenClaw keeps only an
encrypted entry that names a tool call (read in openclaw 2026.9.6), so each first call behind signed thinking carries
all of it in one. Thinking without a signature is for reading: Anthropic rejects it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat

Block = dict[str, object]

_OPENROUTER_CLAUDE = "anthropic-claude-v1"
_OURS = "clawgate-thinking-v1"
_entries = msgspec.json.Decoder(list[msgspec.Raw])
_entry = msgspec.json.Decoder(chat.ThinkingEntry)


def thinking_entry(block: messages.ContentBlock) -> Block:
    """Return a thinking block as an entry of `thinking_blocks`."""
    if block.type == "redacted_thinking":
        return {"type": block.type, "data": lenient.as_text(block.data)}
    return {
        "type": "thinking",
        "thinking": lenient.as_text(block.thinking),
        "signature": lenient.as_text(block.signature),
    }


def is_signed(entry: Block) -> bool:
    """Whether Anthropic accepts an entry of `thinking_blocks` back."""
    return bool(entry.get("signature") or entry.get("data"))


def thinking_detail(call_id: str, entries: Sequence[Block]) -> Block:
    """Return an entry of `reasoning_details` that carries ``entries`` with a tool call."""
    data = strict.encode_response(entries).decode()
    return {"type": "reasoning.encrypted", "id": call_id, "format": _OURS, "data": data}


def kept_thinking(message: chat.AssistantMessage) -> list[Block]:
    """Return the signed thinking blocks of a turn, from whichever field has them."""
    kept = [_block(entry) for entry in message.thinking_blocks or () if _is_kept(entry)]
    return kept or [_block(entry) for entry in _from_details(message.reasoning_details) if _is_kept(entry)]


def _is_kept(entry: chat.ThinkingEntry) -> bool:
    return bool(
        entry.signature if entry.type == "thinking" else entry.type == "redacted_thinking" and entry.data
    )


def _block(entry: chat.ThinkingEntry) -> Block:
    if entry.type == "thinking":
        return {"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature}
    return {"type": "redacted_thinking", "data": entry.data}


def _from_details(details: object) -> Iterator[chat.ThinkingEntry]:
    """Yield the entries that `reasoning_details` carries; those of other vendors' models are not among them."""
    for detail in details if isinstance(details, list) else ():
        kind, form = lenient.as_member(detail, "type"), lenient.as_member(detail, "format")
        if not isinstance(detail, Mapping):
            continue
        data = lenient.as_text(detail.get("data"))
        if kind == "reasoning.text" and form in (None, _OPENROUTER_CLAUDE):
            thought, signature = lenient.as_text(detail.get("text")), lenient.as_text(detail.get("signature"))
            yield chat.ThinkingEntry("thinking", thought, signature)
        elif kind == "reasoning.encrypted" and form == _OPENROUTER_CLAUDE:
            yield chat.ThinkingEntry("redacted_thinking", data=data)
        elif kind == "reasoning.encrypted" and form == _OURS:
            entries = (lenient.decode(raw, _entry) for raw in lenient.decode(data.encode(), _entries) or ())
            yield from (entry for entry in entries if entry is not None)
