"""Makes the ids of a response and of its items.

OpenAI's ids name the kind in front: `resp_`, `msg_`, `rs_`, `fc_`, `ctc_`. Ours are of one exchange alone, and an
item's contains its place, so that no two items of a conversation have the same.
"""

from __future__ import annotations

PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "local_shell_call": "lsh",
    "tool_search_call": "tsc",
}
"""The beginning of an item's id, by its type."""


def response_id(unique: str) -> str:
    """Return the id of a response; ``unique``, letters and digits, is of the exchange alone."""
    return f"resp_{unique}"


def item_id(kind: str, unique: str, index: int) -> str:
    """Return the id of the item of that type which is at ``index`` of the output."""
    return f"{PREFIXES[kind]}_{unique}_{index}"
