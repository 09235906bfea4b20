"""Changes a Messages request so that its server accepts it, as the compat keys of its model say.

Used for requests that were translated, and for those of Messages clients where a key is set. Works on decoded JSON and
is lenient: what is not of the expected form is the server's to reject. Source of the keys: OpenClaw 2026.9.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clawgate.wire.translate.chat_compat import add_routing, schema_in_words
from clawgate.wire.translate.chat_messages_compat import joined_texts
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.messages_turns_compat import adapt_turns
from clawgate.wire.translate.thinking_format import effort_of_server
from clawgate.wire.translate.tool_schema import fit_tool, remove_tools

Fields = dict[str, Any]

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def adapt_messages_request(fields: Fields, compat: Compat) -> list[str]:
    """Change the fields in place; return the names of those that were left out. Raises `InvalidRequest`."""
    removed: list[str] = []
    if compat.supports_temperature is False and fields.pop("temperature", None) is not None:
        removed.append("temperature")
    _adapt_output(fields, compat, removed)
    add_routing(fields, compat)
    if compat.supports_long_cache_retention is False:
        for mark in cache_marks(fields):
            mark.pop("ttl", None)
    tools = fields.get("tools")
    if isinstance(tools, list):
        _adapt_tools(fields, tools, compat, removed)
    turns = fields.get("messages")
    if isinstance(turns, list):
        fields["messages"] = adapt_turns(turns, compat)
    if compat.requires_string_content and "system" in fields:
        fields["system"] = joined_texts(fields["system"])
    return removed


def _adapt_output(fields: Fields, compat: Compat, removed: list[str]) -> None:
    """Name the effort as the server does, and say a schema in words where it takes none."""
    config = fields.get("output_config")
    if not isinstance(config, dict):
        return
    if isinstance(effort := config.get("effort"), str):
        if (level := effort_of_server(compat, effort)) is not None:
            config["effort"] = level
        else:
            del config["effort"]
            removed.append("output_config.effort")
    wanted = config.get("format")
    if compat.supports_json_schema_response_format is False and isinstance(wanted, dict):
        words, system = schema_in_words(wanted.get("schema", {})), fields.get("system")
        if isinstance(system, list):
            fields["system"] = [*system, {"type": "text", "text": words}]
        else:
            fields["system"] = f"{system}\n\n{words}" if system else words
        del config["format"]
    if not config:
        del fields["output_config"]


def cache_marks(value: object) -> Iterator[dict[str, Any]]:
    """Yield every `cache_control` in the parts of a request that may have one."""
    if isinstance(value, list):
        for one in value:
            yield from cache_marks(one)
    elif isinstance(value, dict):
        mark = value.get("cache_control")
        if isinstance(mark, dict):
            yield mark
        for name in ("system", "messages", "content", "tools"):
            yield from cache_marks(value.get(name))


def _adapt_tools(fields: Fields, tools: list[Any], compat: Compat, removed: list[str]) -> None:
    if compat.supports_tools is False:
        choice = fields.get("tool_choice")
        forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
        remove_tools(fields, removed, forced=forced)
        return
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        if compat.supports_eager_tool_input_streaming is False:
            tool.pop("eager_input_streaming", None)
        fit_tool(tool, "input_schema", compat, removed)
    if compat.requires_open_ai_anthropic_tool_payload:
        fields["tools"] = [_openai_tool(tool) for tool in tools]
        if "tool_choice" in fields:
            fields["tool_choice"] = _openai_choice(fields["tool_choice"])


def _openai_tool(tool: Any) -> Any:
    """Return a tool in OpenAI's form, which some servers of Anthropic's dialect want."""
    if not isinstance(tool, dict) or "input_schema" not in tool:
        return tool
    function = {name: tool[name] for name in ("name", "description", "strict") if name in tool}
    function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}


def _openai_choice(choice: Any) -> Any:
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in _CHOICES:
        return _CHOICES[kind]
    if kind == "tool" and isinstance(choice, dict):
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice
