"""Translates the tools of a Messages request, the choice among them, and what a conversation changed about them.

Every tool is sent, also one that Anthropic would load later (`defer_loading`), so a search for tools has nothing left
to find and is left out. Other tools that Anthropic defines are rejected by name. Examples of a tool's input become
part of its description.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import strict
from clawgate.wire.translate.chat_upstream.functions import parameter_fields
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.exchange import reject

CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SEARCHES = "tool_search_tool_"
_DIRECT = "direct"


def tools_at_the_end(
    declared: Iterable[messages.Tool] | None, turns: Sequence[messages.Message]
) -> list[tuple[str, messages.Tool]]:
    """Return the tools that the model may call now, each with its path in the request.

    System messages add tools and remove them in the course of a conversation. Raises `InvalidRequest` for a definition
    that cannot be read.
    """
    tools = {tool.name: (f"tools[{number}]", tool) for number, tool in enumerate(declared or ())}
    removed: set[str] = set()
    for number, turn in enumerate(turns):
        changes = turn.content if isinstance(turn, messages.SystemMessage) else None
        for at, block in enumerate(changes if isinstance(changes, list) else ()):
            path = f"messages[{number}].content[{at}].tool"
            if isinstance(block, messages.ToolAddition):
                name = _added(block.tool, path, tools)
                removed.discard(name)
            elif isinstance(block, messages.ToolRemoval):
                removed.add(str(block.tool.get("name")))
    return [entry for name, entry in tools.items() if name not in removed]


def _added(tool: dict[str, Any], path: str, tools: dict[str, tuple[str, messages.Tool]]) -> str:
    """Add the tool that a block defines, or only names; returns the name."""
    definition = tool.get("definition")
    if definition is None:
        return str(tool.get("name"))
    try:
        added = msgspec.convert(definition, messages.Tool)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"'{path}' cannot be read: {error}", param=path) from None
    tools[added.name] = (f"{path}.definition", added)
    return added.name


def chat_tools(
    tools: Iterable[tuple[str, messages.Tool]], names: ToolNames, *, keeps_cache_control: bool = False
) -> list[dict[str, object]]:
    """Return the tools of a chat request; raises `InvalidRequest`."""
    made = []
    for path, tool in tools:
        kind = tool.type or "custom"
        callers = tool.allowed_callers
        if kind.startswith(_SEARCHES) or (callers is not None and _DIRECT not in callers):
            continue
        if kind != "custom":
            what = strict.abbreviated(kind)
            problem = f"is {what!r}, a tool that Anthropic defines; declare it with an 'input_schema', or leave it out"
            reject(path, problem)
        if tool.input_schema is None:
            reject(f"{path}.input_schema", "is missing")
        translated: dict[str, object] = {
            "type": "function",
            "function": _function(tool, tool.input_schema, names),
        }
        if keeps_cache_control and tool.cache_control is not None:
            translated["cache_control"] = tool.cache_control
        made.append(translated)
    return made


def _function(tool: messages.Tool, schema: messages.Json, names: ToolNames) -> dict[str, object]:
    function: dict[str, object] = {"name": names.shorten(tool.name)}
    description = [tool.description] if tool.description is not None else []
    if tool.input_examples:
        examples = (strict.encode_request(example).decode() for example in tool.input_examples)
        description.append("\n".join(["Examples of its input:", *examples]))
    if description:
        function["description"] = "\n\n".join(description)
    return function | parameter_fields(schema, strict=tool.strict)


def set_tool_choice(choice: messages.ToolChoice | None, fields: dict[str, object], names: ToolNames) -> None:
    """Add the choice among the tools; raises `InvalidRequest`."""
    if choice is None:
        return
    if choice.type in CHOICES:
        fields["tool_choice"] = CHOICES[choice.type]
    elif choice.type == "tool" and choice.name:
        fields["tool_choice"] = {"type": "function", "function": {"name": names.shorten(choice.name)}}
    else:
        reject("tool_choice", "must be of type auto, any, none, or tool with a 'name'")
    if choice.disable_parallel_tool_use is not None and choice.type != "none":
        fields["parallel_tool_calls"] = not choice.disable_parallel_tool_use
