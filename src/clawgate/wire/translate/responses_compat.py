"""Changes a request of OpenAI's Responses API so that its server accepts it, as the compat keys of its model say.

Works on decoded JSON and is lenient: what is not of the expected form is the server's to reject. Source of the keys:
OpenClaw 2026.9.6.
"""

from __future__ import annotations

from typing import Any

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.tool_schema import fit_schema

Fields = dict[str, Any]


def adapt_responses_request(fields: Fields, compat: Compat) -> list[str]:
    """Change the fields in place; return the names of those that were left out. Raises `InvalidRequest`."""
    unsupported = (
        ("store", compat.supports_store),
        ("prompt_cache_key", compat.supports_prompt_cache_key),
        ("prompt_cache_retention", compat.supports_long_cache_retention),
        ("temperature", compat.supports_temperature),
    )
    removed = [
        name
        for name, is_supported in unsupported
        if is_supported is False and fields.pop(name, None) is not None
    ]
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
        choice = fields.pop("tool_choice", None)
        if choice == "required" or isinstance(choice, dict):
            raise InvalidRequest(
                "'tool_choice' wants a call of a tool, and this model has none (compat.supportsTools)",
                param="tool_choice",
            )
        del fields["tools"]
        fields.pop("parallel_tool_calls", None)
        removed.append("tools")
        return
    for tool in fields["tools"]:
        if not isinstance(tool, dict) or tool.get("type") != "function":
            continue
        if compat.supports_strict_mode is False and tool.pop("strict", None):
            removed += ["tools.strict"] if "tools.strict" not in removed else []
        if "parameters" in tool:
            tool["parameters"] = fit_schema(tool["parameters"], compat)
