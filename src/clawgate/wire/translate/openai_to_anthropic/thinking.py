"""Carries a model's thinking to a chat client, and what the client kept of it back into its turn.

Anthropic signs thinking or encrypts it, and wants it back in a tool loop as it was. Clients keep different fields:
`thinking_blocks`, which has Anthropic's own form, or `reasoning_details`, OpenRouter's (its guide "Reasoning Tokens").
Of these OpenClaw keeps only an encrypted entry that names a tool call (read in openclaw 2026.9.6), so each first call
behind signed thinking carries all of it in one. Thinking without a signature is for reading: Anthropic rejects it.

What one provider signed is not sent to another: our entries name it, in `id`, or in the thinking that a call carries.
Entries that name none come from elsewhere, and `thinking_blocks` have no room for a name: they count only where no
entry of ours is beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate.chat_upstream.opaque_members import whole_entries
from clawgate.wire.translate.chat_upstream.opaque_state import provider_tag

Block = dict[str, object]

_OPENROUTER_CLAUDE = "anthropic-claude-v1"
_OURS = "clawgate-thinking-v1"
_OUR_ID = "clawgate_"
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


def reasoning_detail(block: messages.ContentBlock, provider: str) -> Block:
    """Return a thinking block as an entry of `reasoning_details`; of a stream's, a piece of it."""
    if block.type == "redacted_thinking":
        made: Block = {"type": "reasoning.encrypted", "data": lenient.as_text(block.data)}
    else:
        made = {"type": "reasoning.text", "text": lenient.as_text(block.thinking)}
        if block.signature:
            made["signature"] = lenient.as_text(block.signature)
    return {**made, "format": _OPENROUTER_CLAUDE, "id": _OUR_ID + provider_tag(provider)}


def thinking_detail(call_id: str, entries: Sequence[Block], provider: str) -> Block:
    """Return an entry of `reasoning_details` that carries ``entries`` with a tool call."""
    tag = provider_tag(provider)
    data = strict.encode_response([{**entry, "provider": tag} for entry in entries]).decode()
    return {"type": "reasoning.encrypted", "id": call_id, "format": _OURS, "data": data}


def kept_thinking(message: chat.AssistantMessage, provider: str) -> list[Block]:
    """Return the signed thinking blocks of a turn that ``provider`` may have made, from whichever field has them."""
    details = _from_details(message.reasoning_details)
    kept = [entry for entry in message.thinking_blocks or () if _is_kept(entry)]
    if not kept or any(entry.provider for entry in details):
        kept = [entry for entry in details if entry.provider in (None, provider_tag(provider))]
    return [_block(entry) for entry in kept]


def _is_kept(entry: chat.ThinkingEntry) -> bool:
    return bool(
        entry.signature if entry.type == "thinking" else entry.type == "redacted_thinking" and entry.data
    )


def _block(entry: chat.ThinkingEntry) -> Block:
    if entry.type == "thinking":
        return {"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature}
    return {"type": "redacted_thinking", "data": entry.data}


def _from_details(details: object) -> list[chat.ThinkingEntry]:
    """Return the signed entries that `reasoning_details` carries: OpenRouter's, otherwise those of the calls.

    Those of other vendors' models are not among them.
    """
    found: list[chat.ThinkingEntry] = []
    carried: list[chat.ThinkingEntry] = []
    for detail in whole_entries(details):
        kind, form = lenient.as_member(detail, "type"), lenient.as_member(detail, "format")
        if not isinstance(detail, Mapping):
            continue
        data, own_id = lenient.as_text(detail.get("data")), lenient.as_text(detail.get("id"))
        maker = own_id.removeprefix(_OUR_ID) if own_id.startswith(_OUR_ID) else None
        if kind == "reasoning.text" and form in (None, _OPENROUTER_CLAUDE):
            thought, signature = lenient.as_text(detail.get("text")), lenient.as_text(detail.get("signature"))
            found.append(chat.ThinkingEntry("thinking", thought, signature, provider=maker))
        elif kind == "reasoning.encrypted" and form == _OPENROUTER_CLAUDE:
            found.append(chat.ThinkingEntry("redacted_thinking", data=data, provider=maker))
        elif kind == "reasoning.encrypted" and form == _OURS:
            entries = (lenient.decode(raw, _entry) for raw in lenient.decode(data.encode(), _entries) or ())
            carried += [entry for entry in entries if entry is not None]
    return list(filter(_is_kept, found)) or list(filter(_is_kept, carried))
