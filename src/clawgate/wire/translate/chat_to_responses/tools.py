"""Translates the tools of a chat request, and the choice among them, into the flat form of the Responses API.

A function is not strict there unless it says so, as in chat completions: the Responses API's own default is strict, and
rejects most schemas. Functions of the old form become tools. `web_search_options` become the tool for it.
"""

from __future__ import annotations

import msgspec

from clawgate.wire.openai import types as chat
from clawgate.wire.translate.chat_to_responses.request_types import ChatRequest
from clawgate.wire.translate.exchange import reject

Fields = dict[str, object]


def set_tools(request: ChatRequest, fields: Fields) -> None:
    """Add the tools and the choice; raises `InvalidRequest` with the path of what cannot be translated."""
    tools = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(request.tools or ())]
    tools += [_function(one) for one in request.functions or ()]
    if (search := request.web_search_options) is not None:
        tools.append(_web_search(search))
    if tools:
        fields["tools"] = tools
    if request.tool_choice is not None:
        fields["tool_choice"] = _choice(request.tool_choice)
    elif isinstance(request.function_call, chat.FunctionName):
        fields["tool_choice"] = {"type": "function", "name": request.function_call.name}
    elif request.function_call is not None:
        fields["tool_choice"] = request.function_call
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    elif request.functions:
        fields["parallel_tool_calls"] = False  # the old form has one call


def _tool(tool: chat.Tool, path: str) -> Fields:
    if tool.type == "function" and tool.function is not None:
        return _function(tool.function)
    if tool.type != "custom" or (custom := tool.custom) is None:
        reject(path, "is neither a function nor a custom tool, the kinds of a chat request")
    made: Fields = {"type": "custom", "name": custom.name}
    if custom.description is not None:
        made["description"] = custom.description
    if (form := custom.format) is not None:
        grammar = msgspec.structs.asdict(form.grammar) if form.grammar is not None else {}
        made["format"] = {"type": form.type, **grammar}
    return made


def _function(function: chat.FunctionDefinition) -> Fields:
    made: Fields = {"type": "function", "name": function.name}
    if function.description is not None:
        made["description"] = function.description
    made["parameters"] = function.parameters or {"type": "object", "properties": {}}
    made["strict"] = bool(function.strict)
    return made


def _web_search(options: chat.Json) -> Fields:
    tool: Fields = {"type": "web_search"}
    if (size := options.get("search_context_size")) is not None:
        tool["search_context_size"] = size
    location = options.get("user_location")
    place = location.get("approximate") if isinstance(location, dict) else None
    if isinstance(place, dict):
        tool["user_location"] = {"type": "approximate", **place}
    return tool


def _choice(choice: str | chat.ToolChoice) -> object:
    if choice in ("none", "auto", "required"):
        return choice
    if not isinstance(choice, chat.ToolChoice) or choice.type not in ("function", "custom", "allowed_tools"):
        reject("tool_choice", "must be none, auto, required, allowed_tools, or a tool by its name")
    if choice.type != "allowed_tools":
        return _named(choice.type, choice.function if choice.type == "function" else choice.custom)
    allowed = choice.allowed_tools or chat.AllowedTools()
    if not allowed.tools:
        reject("tool_choice", "allows none of the 'tools'")
    tools = [_named(tool.type, tool.function or tool.custom) for tool in allowed.tools]
    return {"type": "allowed_tools", "mode": allowed.mode or "auto", "tools": tools}


def _named(
    kind: str, tool: chat.FunctionName | chat.FunctionDefinition | chat.CustomDefinition | None
) -> Fields:
    if tool is None:
        reject("tool_choice", "must name the tool")
    return {"type": kind, "name": tool.name}
