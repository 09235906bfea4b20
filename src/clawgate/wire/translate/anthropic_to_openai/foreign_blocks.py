"""Reads a Messages request whose history has blocks that no other service knows, as text.

Tools that Anthropic runs, MCP connectors, tool search and compaction leave such blocks in a conversation. It can
continue at another model if their words stay: each becomes a text block in its place, or is left out where it has
none that a model could use. Blocks that are known and malformed stay an error. Requests without such blocks are read
once, and nothing is done to them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import strict
from clawgate.wire.json.surrogates import replace_lone_surrogates
from clawgate.wire.translate.chat_upstream.foreign_words import words_of

_KNOWN = {
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
    "system": ("text", "tool_addition", "tool_removal"),
    "developer": ("text", "tool_addition", "tool_removal"),
}
"""The types of blocks that are translated, by the role of their message."""
_IN_RESULT = ("text", "image", "document", "search_result")
_WITHOUT_WORDS = ("fallback", "mcp_tool_listing", "redacted_thinking", "thinking")
"""Blocks that no model is shown, or that only their own service can read."""
_SHOWN = (
    "title", "url", "page_age", "text", "content", "source", "stdout", "stderr", "return_code", "error_code",
    "error_message", "tool_references", "tool_name", "tabs", "lines",
)  # fmt: skip
"""Members of blocks that are for people and models, in the order in which they are shown."""


def read_request(body: bytes) -> messages.MessagesRequest:
    """Return the request; raises `InvalidRequest` with the path of what cannot be read."""
    try:
        return strict.parse_request(body, messages.MESSAGES_REQUEST)
    except InvalidRequest:
        readable = _with_known_blocks(body)
        if readable is None:
            raise
        return strict.parse_request(readable, messages.MESSAGES_REQUEST)


def _with_known_blocks(body: bytes) -> bytes | None:
    """Return the body with text in place of foreign blocks; None if it has none."""
    try:
        request = msgspec.json.decode(replace_lone_surrogates(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if not isinstance(request, dict):
        return None
    changed = _replace(request, "system", ("text",))
    turns = request.get("messages")
    for turn in turns if isinstance(turns, list) else ():
        role = turn.get("role") if isinstance(turn, dict) else None
        if isinstance(role, str) and role in _KNOWN:
            changed = _replace(turn, "content", _KNOWN[role]) or changed
    return strict.encode_request(request) if changed else None


def _replace(holder: dict[str, Any], name: str, known: tuple[str, ...]) -> bool:
    """Replace the foreign blocks of a list in place; returns whether there were any."""
    blocks = holder.get(name)
    if not isinstance(blocks, list):
        return False
    apart = "\n\n" if known is _KNOWN["assistant"] else ""  # its texts become one
    changed = is_note = False
    kept: list[object] = []
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(block, dict) and isinstance(kind, str) and kind not in known:
            changed = True
            if text := as_text(block):
                kept.append({"type": "text", "text": apart + text if kept else text})
                is_note = True
            continue
        if kind == "tool_result":
            changed = _replace(block, "content", _IN_RESULT) or changed
        elif kind == "text" and is_note:
            block["text"] = apart + str(block.get("text"))
        is_note = False
        kept.append(block)
    holder[name] = kept
    return changed


def as_text(block: dict[str, Any]) -> str:
    """Return a foreign block as text; empty for one that is to be left out."""
    kind = str(block.get("type"))
    match kind:
        case "tool_reference":
            return f"The tool '{block.get('tool_name')}' is available."
        case "compaction":
            summary = block.get("content")
            return f"[Summary of the conversation so far]\n{summary}" if isinstance(summary, str) else ""
        case "container_upload":
            return "[A file was uploaded to a container, which this model cannot read.]"
        case _ if kind in _WITHOUT_WORDS:
            return ""
    if kind.endswith("tool_use"):
        name = ".".join(str(block[key]) for key in ("server_name", "name") if block.get(key))
        return f"[{name or kind} was called with {strict.encode_request(block.get('input')).decode()}]"
    words = "\n".join(words_of({name: part for name, part in block.items() if name != "type"}, _SHOWN))
    shown = kind.replace("_tool_result", " result").replace("_", " ")
    return f"[{shown}]\n{words}" if words else f"[{shown}: left out, since this model cannot read it]"
