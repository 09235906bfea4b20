"""Changes a request of OpenAI's Responses API so that its server accepts it, as the compat keys of its model say.

Works on decoded JSON and is lenient: what is not of the expected form is the server's to reject. Source of the keys:
OpenClaw 2026.9.6.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.translate.compat import Compat, remove_unsupported
from clawgate.wire.translate.tool_schema import fit_tool, remove_tools

Fields = dict[str, Any]


def adapt_responses_request(fields: Fields, compat: Compat) -> list[str]:
    """Change the fields in place; return the names of those that were left out. Raises `InvalidRequest`."""
    removed = remove_unsupported(fields, compat)
    reasoning = fields.get("reasoning")
    if compat.supports_reasoning_effort is False and isinstance(reasoning, dict):
        if reasoning.pop("effort", None) is not None:
            removed.append("reasoning.effort")
        if not reasoning:
            del fields["reasoning"]
    if compat.supports_instructions is False and isinstance(fields.get("instructions"), str):
        _move_instructions(fields)
    if compat.supports_developer_role is False and isinstance(fields.get("input"), list):
        for item in fields["input"]:
            if isinstance(item, dict) and item.get("role") == "developer":
                item["role"] = "system"
    if isinstance(fields.get("tools"), list):
        _adapt_tools(fields, compat, removed)
    return removed


def _move_instructions(fields: Fields) -> None:
    """Put the instructions in front of the input."""
    instructions = fields.pop("instructions")
    given = fields.get("input")
    items = given if isinstance(given, list) else [{"role": "user", "content": given}] if given else []
    fields["input"] = [{"role": "system", "content": instructions}, *items]


def _adapt_tools(fields: Fields, compat: Compat, removed: list[str]) -> None:
    if compat.supports_tools is False:
        choice = fields.get("tool_choice")
        remove_tools(fields, removed, forced=choice == "required" or isinstance(choice, dict))
        return
    for tool in fields["tools"]:
        if isinstance(tool, dict) and tool.get("type") == "function":
            fit_tool(tool, "parameters", compat, removed)
