"""Reads a chat completion request for an agent.

Law: each field is honoured, refused with its name, or listed as ignored; none changes the response unseen. Source of
rules and texts: OpenClaw 2026.9.6, recorded. Where it leaves out what would change the response, this refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.agents.request.chat_messages import Conversation, read_conversation
from clawgate.agents.request.images import ImageRules
from clawgate.agents.request.refusal import field_name, reject, shown, type_name
from clawgate.errors import InvalidRequest
from clawgate.wire.json.unambiguous import parse_unambiguous

MAX_STOPS = 4
MAX_INTEGER = 2**53 - 1
"""The largest number that JavaScript reads exactly; OpenClaw accepts no larger one."""
MAX_FIELDS = 64
"""Of a request, so that each can be listed; OpenAI defines about 35."""

SAMPLING = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_TYPED = {
    "logit_bias": dict,
    "parallel_tool_calls": bool,
    "reasoning_effort": str,
    "response_format": dict,
    "safety_identifier": str,
    "verbosity": str,
}
PASSED = frozenset({"seed", "stop", *SAMPLING, *_TYPED})
"""Fields that go to the model as they are."""
READ = frozenset(
    {"model", "messages", "stream", "stream_options", "user", "tools", "tool_choice", "max_tokens",
     "max_completion_tokens", "n"}
)  # fmt: skip
"""Fields that the agent itself honours."""
REFUSED = {
    "audio": "is not available from an agent, which writes text; remove it",
    "function_call": "is the old form of `tool_choice`; send that",
    "functions": "is the old form of `tools`; send that",
    "logprobs": "is not available from an agent; remove it",
    "moderation": "is not available from an agent; remove it",
    "top_logprobs": "is not available from an agent; remove it",
    "web_search_options": "is a service of OpenAI; give the agent a tool for it",
}
"""Fields that would change the response, and what to do."""

_PLACE = "Invalid tools/tool_choice:"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``mode`` is auto, none or required; with ``name`` that tool alone is required."""

    mode: str = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that was checked. ``options`` go to the model; ``ignored`` names fields without effect.

    ``model`` is as the client wrote it, and ``openclaw`` where it named none, as the response repeats it.
    """

    model: str
    conversation: Conversation
    stream: bool = False
    include_usage: bool = False
    user: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    options: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read_request(body: bytes, images: ImageRules) -> ChatRequest:
    """Return the request. Raises `InvalidRequest` with the field as ``param``."""
    request = _read_object(body)
    for name, problem in REFUSED.items():
        if request.get(name) not in (None, False, 0):
            reject(name, f"`{name}` {problem}")
    if request.get("modalities") not in (None, [], ["text"]):
        reject("modalities", f"`modalities` other than text {REFUSED['audio']}")
    if request.get("n") is not None and (isinstance(request["n"], bool) or request["n"] != 1):
        reject("n", "`n` must be 1: an agent gives one response")
    stream = bool(_typed(request, "stream", bool))
    stream_options = _typed(request, "stream_options", dict) or {}
    include_usage = bool(_typed(stream_options, "include_usage", bool, "stream_options."))
    tools = _read_tools(request)
    options = _read_options(request)
    conversation = read_conversation(request.get("messages", []), images)
    return ChatRequest(
        model=_read_model(request),
        conversation=conversation,
        stream=stream,
        include_usage=stream and include_usage,
        user=_typed(request, "user", str) or "",
        tools=tools,
        tool_choice=_read_tool_choice(request.get("tool_choice"), tools),
        options=options,
        ignored=(*_unread(request, stream_options), *conversation.ignored),
    )


def check_tool_names(
    tools: Collection[Mapping[str, Any]], taken: Collection[str], member: str = "function.name"
) -> None:
    """Raise `InvalidRequest` for a client's tool with the name of one of the agent's own.

    ``member`` is where the client's dialect has the name.
    """
    for number, tool in enumerate(tools):
        if tool["function"]["name"] in taken:
            reject(
                f"tools[{number}].{member}",
                "invalid tool configuration: the agent has a tool of that name",
            )


def _read_object(body: bytes) -> dict[str, Any]:
    request = parse_unambiguous(body or b"{}")
    if not isinstance(request, dict):
        raise InvalidRequest(f"request body: Invalid input: expected object, received {type_name(request)}")
    if len(request) > MAX_FIELDS:
        raise InvalidRequest(f"the request body has over {MAX_FIELDS} fields")
    return request


def _unread(request: Mapping[str, Any], stream_options: Mapping[str, Any]) -> list[str]:
    known = PASSED | READ | REFUSED.keys() | {"modalities"}
    names = [
        name
        for name, value in request.items()
        if name not in known and value is not None and value is not False
    ]
    names += [f"stream_options.{name}" for name in stream_options if name != "include_usage"]
    if stream_options and not request.get("stream"):
        names = [*names, "stream_options"]
    return sorted(map(field_name, names))


def _read_model(request: Mapping[str, Any]) -> str:
    if "model" not in request:
        return "openclaw"
    model = request["model"]
    if not isinstance(model, str):
        reject("model", f"model: Invalid input: expected string, received {type_name(model)}")
    return model


def _typed(request: Mapping[str, Any], name: str, kind: type, parent: str = "") -> Any:
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        path = parent + name
        reject(path, f"{path}: Invalid input: expected {type_name(kind())}, received {type_name(value)}")
    return value


def _read_options(request: Mapping[str, Any]) -> dict[str, Any]:
    for name, kind in _TYPED.items():
        _typed(request, name, kind)
    form = request.get("response_format")
    if form is not None and not isinstance(form.get("type"), str):
        reject("response_format.type", "`response_format.type` is required")
    _check_sampling(request)
    _check_stop(request.get("stop"))
    options = {name: request[name] for name in sorted(PASSED) if request.get(name) is not None}
    if "seed" in options:
        options["seed"] = int(options["seed"])
    if (limit := _read_limit(request)) is not None:
        options["max_completion_tokens"] = limit
    return options


def _check_sampling(request: Mapping[str, Any]) -> None:
    for name, (least, most) in SAMPLING.items():
        value = request.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            reject(name, f"{name}: Invalid input: expected number, received {type_name(value)}")
        if not least <= value <= most:
            bounds = f"{least} and {most}" if least == 0 else f"{least:.1f} and {most:.1f}"
            reject(name, f"`{name}` must be between {bounds}.")
    seed = request.get("seed")
    if seed is not None and not isinstance(seed, int | float):
        reject("seed", f"seed: Invalid input: expected number, received {type_name(seed)}")
    if seed is not None and (isinstance(seed, bool) or seed != int(seed) or abs(seed) > MAX_INTEGER):
        reject("seed", "`seed` must be an integer.")


def _check_stop(stop: object) -> None:
    entries = [stop] if isinstance(stop, str) else stop
    if entries is None:
        return
    if not isinstance(entries, list):
        reject("stop", "stop: Invalid input")
    if len(entries) > MAX_STOPS:
        reject("stop", f"Invalid stop: stop supports at most {MAX_STOPS} sequences")
    if not all(isinstance(entry, str) and entry for entry in entries):
        reject("stop", "Invalid stop: stop entries must be non-empty strings")


def _read_limit(request: Mapping[str, Any]) -> int | None:
    """Return the most tokens of a response; `max_completion_tokens` beats `max_tokens`."""
    found: int | None = None
    for name in ("max_tokens", "max_completion_tokens"):
        value = request.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            reject(name, f"{name}: Invalid input: expected number, received {type_name(value)}")
        if value != int(value):
            reject(name, f"{name}: Invalid input: expected int, received number")
        if value <= 0:
            reject(name, f"{name}: Too small: expected number to be >0")
        if value > MAX_INTEGER:
            reject(name, f"{name}: Too big: expected number to be <={MAX_INTEGER}")
        found = int(value)
    return found


def _read_tools(request: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    tools = _typed(request, "tools", list) or []
    names: set[str] = set()
    for number, tool in enumerate(tools):
        place = f"tools[{number}]"
        if not isinstance(tool, dict) or tool.get("type") != "function":
            reject(place, f"{_PLACE} only function tools are supported")
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not name.strip():
            reject(f"{place}.function.name", f"{_PLACE} tool.function.name is required")
        if name in names:
            reject(f"{place}.function.name", f"{_PLACE} two tools have the same name")
        names.add(name)
        if not isinstance(tool["function"].get("parameters", {}), dict | None):
            reject(f"{place}.function.parameters", f"{_PLACE} tool.function.parameters must be an object")
    return tuple(tools)


def _read_tool_choice(choice: object, tools: tuple[dict[str, Any], ...]) -> ToolChoice:
    name: str | None = None
    match choice:
        case None | "auto":
            return ToolChoice()
        case "none":
            return ToolChoice("none")
        case "required":
            pass
        case {"type": "function", "function": {"name": str(pinned)}}:
            name = pinned
        case {"type": "function"}:
            reject("tool_choice", f"{_PLACE} tool_choice.function.name is required")
        case {"type": str(kind)}:
            reject("tool_choice", f"{_PLACE} tool_choice {shown(kind)} is not supported")
        case _:
            reject("tool_choice", f"{_PLACE} tool_choice must be a string or object")
    if not tools:
        reject("tool_choice", f"{_PLACE} tool_choice=required but no tools were provided")
    if name is not None and all(tool["function"]["name"] != name for tool in tools):
        reject("tool_choice", f"{_PLACE} tool_choice requested unknown tool: {shown(name)}")
    return ToolChoice("required", name)
