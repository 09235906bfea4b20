"""Builds what the response object of a Responses exchange consists of: its head, items, usage and last state.

Complete responses and streams use the same rules: a complete one is what its stream ends with. The object repeats the
request, as OpenAI's does. A count that the upstream did not send is zero, since clients read every one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.wire.json import lenient, strict
from clawgate.wire.responses import ids
from clawgate.wire.responses import types as responses
from clawgate.wire.translate.responses_to_chat import tools
from clawgate.wire.translate.responses_to_chat.tools import KnownTool

Object = dict[str, Any]

IN_PROGRESS, COMPLETED, INCOMPLETE, FAILED = "in_progress", "completed", "incomplete", "failed"
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""OpenAI's finish reasons for a response that is not complete; any other one completes it."""


class Repeated(msgspec.Struct):
    """The members of a request that its response repeats as they came, and what they are if it has none."""

    frequency_penalty: object = 0.0
    instructions: object = None
    max_output_tokens: object = None
    max_tool_calls: object = None
    metadata: object = {}
    parallel_tool_calls: object = True
    presence_penalty: object = 0.0
    prompt_cache_key: object = None
    safety_identifier: object = None
    service_tier: object = "default"
    temperature: object = 1.0
    text: object = {}
    tool_choice: object = "auto"
    tools: object = []
    top_p: object = 1.0
    user: object = None


REPEATED = msgspec.json.Decoder(Repeated)
_FUNCTION: Object = {"description": None, "parameters": None, "strict": None}
_SCHEMA: Object = {"name": "response", "description": None, "strict": False}


def head_of(
    request: responses.ResponsesRequest, sent: Repeated, *, model: str, created: int, unique: str
) -> Object:
    """Return the members of the response that are the same from its first event to its last."""
    nothing = Repeated()
    repeated = {
        name: getattr(nothing, name) if (value := getattr(sent, name)) is None else value
        for name in Repeated.__struct_fields__
    }
    if repeated["service_tier"] == "auto":
        repeated["service_tier"] = nothing.service_tier
    repeated["tools"] = [
        {**_FUNCTION, **tool} if tool.get("type") == tools.FUNCTION else tool for tool in repeated["tools"]
    ]
    text: Object = {"format": {"type": "text"}, "verbosity": "medium"}
    text |= {name: value for name, value in repeated["text"].items() if value is not None}
    if text["format"].get("type") == "json_schema":
        text["format"] = _SCHEMA | text["format"]
    repeated["text"] = text
    reasoning = request.reasoning or responses.ReasoningConfig()
    return {
        "id": ids.response_id(unique),
        "object": "response",
        "created_at": created,
        "completed_at": None,  # nothing here knows the time
        "model": model,
        "background": False,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary or reasoning.generate_summary},
        "store": False,
        "top_logprobs": 0,
        "truncation": "disabled",
        **repeated,
    }


def state(finish: str | None, usage: Object | None) -> Object:
    """Return the members that change: of a response so far, without a finish reason, and of its end."""
    reason = _REASONS.get(finish or "")
    status = IN_PROGRESS if finish is None else INCOMPLETE if reason else COMPLETED
    return {
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": usage,
    }


def usage(counts: object) -> Object:
    """Return the counts of a chat completion in the fields of this API; zeros for what makes no sense."""

    def of(name: str, inside: object = counts) -> int:
        return lenient.as_int(lenient.as_member(inside, name)) or 0

    prompt = lenient.as_member(counts, "prompt_tokens_details")
    thought = lenient.as_member(counts, "completion_tokens_details")
    given, written = of("prompt_tokens"), of("completion_tokens")
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": of("cached_tokens", prompt),
            "cache_write_tokens": of("cache_write_tokens", prompt),
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": of("reasoning_tokens", thought)},
        "total_tokens": of("total_tokens") or given + written,
    }


def call_item(tool: KnownTool, *, item_id: str, call_id: str, arguments: str, status: str) -> Object:
    """Return the item of a call; a tool that became a function is called in its own form."""
    item: Object = {"type": item_type(tool), "id": item_id, "call_id": call_id, "status": status}
    match tool.kind:
        case tools.CUSTOM:
            item |= {"name": tool.name, "input": custom_input(arguments)}
        case tools.LOCAL_SHELL:
            item["action"] = _shell_action(arguments)
        case tools.TOOL_SEARCH:
            item |= {"execution": "client", "arguments": strict.arguments_or_raw(arguments)}
        case _:
            item |= {"name": tool.name, "arguments": arguments}
    if tool.namespace is not None:
        item["namespace"] = tool.namespace
    return item


def item_type(tool: KnownTool) -> str:
    return {tools.CUSTOM: "custom_tool_call"}.get(tool.kind, f"{tool.kind}_call")


def custom_input(arguments: str) -> str:
    """Return the text of a custom tool's call; what the model wrote without the one parameter is the text itself."""
    parsed = strict.parse_arguments(arguments)
    if parsed == {}:
        return ""
    text = (parsed or {}).get(tools.INPUT)
    return text if isinstance(text, str) else arguments


def _shell_action(arguments: str) -> Object:
    parsed = strict.parse_arguments(arguments) or {}
    command = parsed.get("command")
    action: Object = {"type": "exec", "env": {}}
    action["command"] = (
        list(map(str, command)) if isinstance(command, list) else ["bash", "-lc", str(command or "")]
    )
    for name in ("timeout_ms", "working_directory"):
        if parsed.get(name) is not None:
            action[name] = parsed[name]
    return action
