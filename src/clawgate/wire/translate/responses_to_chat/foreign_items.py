"""Carries items of a conversation that no other service knows as text.

Tools that OpenAI runs, MCP connectors and compaction leave such items. The conversation can continue at another model
if their words stay: each becomes a text in its place. Where it has no words that a model could use, a note stands for
it, or nothing.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.json import strict
from clawgate.wire.translate.chat_upstream.foreign_words import words_of

OF_CLIENT = frozenset(
    {"apply_patch_call_output", "computer_call_output", "mcp_approval_response", "shell_call_output"}
)
"""Types of items that the client adds: they are part of the user's turn."""
_WITHOUT_WORDS = frozenset({"mcp_list_tools", "program", "program_output"})
"""Items that no model is shown, or that only their own service can read."""
_SHOWN = (
    "server_label", "name", "query", "queries", "action", "arguments", "operation", "type", "path", "diff", "code",
    "commands", "command", "revised_prompt", "url", "title", "filename", "text", "results", "outputs", "output",
    "logs", "stdout", "stderr", "content", "summary", "error", "message", "reason",
)  # fmt: skip
"""Members of items that are for people and models, in the order in which they are shown."""


def as_text(item: dict[str, Any]) -> str:
    """Return a foreign item as text; empty for one that is to be left out."""
    kind = strict.abbreviated(str(item.get("type")))
    if kind in _WITHOUT_WORDS:
        return ""
    if kind == "mcp_approval_response":
        return f"[The call was {'approved' if item.get('approve') else 'refused'}.]"
    shown = kind.replace("_", " ")
    words = "\n".join(words_of({name: member for name, member in item.items() if name != "type"}, _SHOWN))
    return f"[{shown}]\n{words}" if words else f"[{shown}: left out, since this model cannot read it]"
