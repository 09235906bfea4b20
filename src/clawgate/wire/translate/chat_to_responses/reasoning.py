"""Carries an upstream's reasoning items to a chat client, and what the client kept of them back into its turn.

OpenAI encrypts reasoning and wants it back in a tool loop. The carrier is OpenRouter's `reasoning_details`: an entry
for each part of the summary, one for each text of an open model, and one for what is encrypted. OpenClaw keeps only an
encrypted entry that names a tool call (read in openclaw 2026.9.6), so the next call carries what is encrypted, too.
What one provider made is rejected by another: an entry names it in `provider`, and goes back to that one alone; clients
that keep known members only lose the name, not the entry. Reasoning that is neither encrypted nor open text is of no
use without a store (OpenAI: 404 "Item not found").
"""

from __future__ import annotations

import re

import msgspec

from clawgate.wire.json import lenient, strict
from clawgate.wire.translate.chat_upstream.opaque_members import whole_entries
from clawgate.wire.translate.compat import Compat

Item = dict[str, object]

FORMAT = "openai-responses-v1"
"""OpenRouter's name for entries of this API."""
ENCRYPTED = "reasoning.encrypted"
_IN_CALL = "clawgate-reasoning-v1"
_SEALED = ("id", "encrypted_content")
MEMBERS = {"summary": ("reasoning.summary", "summary"), "reasoning": ("reasoning.text", "text")}
"""By the kind of a text: the type of its entry, and the member that has it."""

_PARTS = {
    "reasoning.summary": ("summary", "summary_text", "summary"),
    "reasoning.text": ("content", "reasoning_text", "text"),
}
_NEVER_REASON = re.compile(r"(?:^|/)(?:gpt-[34]|chatgpt-4|gpt-5[^/]*-chat)", re.IGNORECASE)
"""OpenAI's models that reject the request for encrypted reasoning (400, param `include`), by their names."""

_sealed = msgspec.json.Decoder(list[dict[str, str]])


def gives_encrypted(model: str, compat: Compat) -> bool:
    """Whether encrypted reasoning may be requested of ``model``."""
    return compat.reasoning and _NEVER_REASON.search(model) is None


def kept_items(details: object, tag: str) -> list[Item]:
    """Return the reasoning items that ``details`` carry for the provider of that tag."""
    items: list[Item] = []
    carried: list[Item] = []
    for entry in whole_entries(details):
        if not isinstance(entry, dict) or entry.get("provider") not in (None, tag):
            continue
        if entry.get("format") == _IN_CALL:
            carried += _sealed_in(entry)
        if entry.get("format") != FORMAT:
            continue
        item = _item_of(lenient.as_word(entry.get("id")), items)
        kind = entry.get("type")
        if kind == ENCRYPTED and (data := lenient.as_word(entry.get("data"))):
            item["encrypted_content"] = data
        elif isinstance(kind, str) and kind in _PARTS:
            name, part_type, member = _PARTS[kind]
            parts = item.setdefault(name, [])
            assert isinstance(parts, list), "made here"
            parts.append({"type": part_type, "text": lenient.as_text(entry.get(member))})
    return [item for item in items if "encrypted_content" in item or "content" in item] or carried


def carried_by_call(call_id: str, sealed: list[Item]) -> Item:
    """Return an entry that carries encrypted items with a tool call."""
    data = strict.encode_response(sealed).decode()
    return {"type": ENCRYPTED, "id": call_id, "format": _IN_CALL, "data": data}


def _sealed_in(entry: Item) -> list[Item]:
    given = lenient.decode(lenient.as_text(entry.get("data")).encode(), _sealed) or []
    return [
        {
            "type": "reasoning",
            "summary": [],
            **{name: value for name, value in one.items() if name in _SEALED},
        }
        for one in given
        if lenient.as_word(one.get("encrypted_content"))
    ]


def _item_of(item_id: str | None, items: list[Item]) -> Item:
    """Return the item that an entry belongs to: the one of its id, or the last one if that is not complete."""
    for item in reversed(items):
        if item_id is not None and item.get("id") == item_id:
            return item
    last = items[-1] if items else None
    is_open = last is not None and "encrypted_content" not in last
    if last is None or not is_open or (item_id is not None and "id" in last):
        last = {"type": "reasoning", "summary": []}
        items.append(last)
    if item_id is not None:
        last["id"] = item_id
    return last
