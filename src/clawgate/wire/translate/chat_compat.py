"""Changes a chat request so that its server accepts it, as the compat keys of its model say.

Used for requests that were translated, and for those of chat clients where a key is set. Works on decoded JSON and is
lenient: what is not of the expected form is the server's to reject. Behaviour is that of OpenClaw 2026.9.6, but no
content is lost: where a server knows no calls of tools, they are described in words.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.json import strict
from clawgate.wire.translate.chat_messages_compat import adapt_messages
from clawgate.wire.translate.compat import Compat, remove_unsupported
from clawgate.wire.translate.thinking_format import set_thinking
from clawgate.wire.translate.tool_schema import fit_tool, remove_tools

Fields = dict[str, Any]

_LIMITS = ("max_tokens", "max_completion_tokens")


def adapt_chat_request(fields: Fields, compat: Compat) -> list[str]:
    """Change the fields of a chat client's request in place; return the names of those that were left out.

    Raises `InvalidRequest` for a field that cannot be left out.
    """
    level = fields.pop("reasoning_effort", None)
    if isinstance(level, str):
        if not set_thinking(fields, compat, enabled=level != "none", effort=level):
            return ["reasoning_effort", *adapt_fields(fields, compat)]
    elif level is not None:
        fields["reasoning_effort"] = level
    return adapt_fields(fields, compat)


def adapt_fields(fields: Fields, compat: Compat) -> list[str]:
    """Change everything but the reasoning, see `adapt_chat_request`."""
    removed = remove_unsupported(fields, compat)
    if compat.supports_usage_in_streaming is False and fields.pop("stream_options", None) is not None:
        removed.append("stream_options")
    _rename_limit(fields, compat)
    has_tools = _adapt_tools(fields, compat, removed)
    _adapt_response_format(fields, compat)
    add_routing(fields, compat)
    if compat.zai_tool_stream and has_tools and fields.get("stream"):
        fields.setdefault("tool_stream", True)
    messages = fields.get("messages")
    if isinstance(messages, list):
        fields["messages"] = adapt_messages(messages, compat)
    return removed


def add_routing(fields: Fields, compat: Compat) -> None:
    """Add what routers of many services take beside either dialect's fields."""
    if compat.open_router_routing is not None:
        fields.setdefault("provider", dict(compat.open_router_routing))
    if compat.vercel_gateway_routing is not None:
        fields.setdefault("providerOptions", {"gateway": dict(compat.vercel_gateway_routing)})


def schema_in_words(schema: object) -> str:
    """Return the instruction that stands for a schema of the output."""
    shown = strict.encode_request(schema).decode()
    return f"Respond with JSON alone, without other text, that matches this JSON schema:\n{shown}"


def _rename_limit(fields: Fields, compat: Compat) -> None:
    wanted = compat.max_tokens_field
    if wanted is None or wanted in fields:
        return
    for name in _LIMITS:
        if name in fields:
            fields[wanted] = fields.pop(name)


def _adapt_tools(fields: Fields, compat: Compat, removed: list[str]) -> bool:
    """Fit the tools to the server, or leave them out; returns whether there are any."""
    tools = fields.get("tools")
    if not isinstance(tools, list):
        return False
    if compat.supports_tools is False:
        choice = fields.get("tool_choice")
        remove_tools(fields, removed, forced=choice == "required" or isinstance(choice, dict))
        return False
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict):
            fit_tool(function, "parameters", compat, removed)
    return bool(tools)


def _adapt_response_format(fields: Fields, compat: Compat) -> None:
    """Say the schema of the output in words where the server does not take it."""
    wanted = fields.get("response_format")
    if compat.supports_json_schema_response_format is not False or not isinstance(wanted, dict):
        return
    described = wanted.get("json_schema")
    if wanted.get("type") != "json_schema" or not isinstance(described, dict):
        return
    words = schema_in_words(described.get("schema", {}))
    del fields["response_format"]
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return
    first = messages[0] if messages else None
    is_system = isinstance(first, dict) and first.get("role") in ("system", "developer")
    if is_system and isinstance(first, dict) and isinstance(first.get("content"), str):
        first["content"] = f"{first['content']}\n\n{words}"
    elif is_system and isinstance(first, dict) and isinstance(first.get("content"), list):
        first["content"] = [*first["content"], {"type": "text", "text": words}]
    else:
        messages.insert(0, {"role": "system", "content": words})
