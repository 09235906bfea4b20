"""Translates the tools of a Responses request and the choice among them, and recognises what a call is for.

Tools that the client itself runs become functions: a custom tool one with a single text, a namespace's function one
with the namespace in front of its name, `local_shell` and the client's `tool_search` ones of that name (Codex 0.171
sends namespaces, custom tools and `tool_search`). A tool that OpenAI runs is rejected by name, with one exception:
Codex offers a web search in each request, and marks it with `external_web_access`; beside tools of the client that one
is left out and reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clawgate.wire.json import strict
from clawgate.wire.responses import types as responses
from clawgate.wire.translate.chat_upstream.functions import parameter_fields
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.exchange import reject

FUNCTION, CUSTOM, LOCAL_SHELL, TOOL_SEARCH = "function", "custom", "local_shell", "tool_search"
INPUT = "input"
"""The one parameter of a function that stands for a custom tool."""

_NAMESPACE, _WEB_SEARCH = "namespace", "web_search"
_DIRECT = "direct"
_CLIENTS = (FUNCTION, CUSTOM, LOCAL_SHELL, TOOL_SEARCH, _NAMESPACE)
_TEXT = {"type": "string", "description": "The tool's whole input, as text."}
_OF_CUSTOM = {"type": "object", "properties": {INPUT: _TEXT}, "required": [INPUT]}
_OF_LOCAL_SHELL = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
    },
    "required": ["command"],
}  # fmt: skip


class KnownTool(NamedTuple):
    """A tool as the client knows it."""

    kind: str
    name: str
    namespace: str | None = None

    @property
    def chat_name(self) -> str:
        return f"{self.namespace}__{self.name}" if self.namespace else self.name


class ToolTable:
    """The tools of one exchange, by the names that the upstream has for them."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, object]] = {}
        """The tools of the chat request."""
        self.ignored: set[str] = set()
        """Names of tools and of their members that were left out."""
        self._names = ToolNames()
        self._known: dict[str, KnownTool] = {}

    def add_all(self, tools: Iterable[responses.Tool], path: str) -> None:
        """Add tools; raises `InvalidRequest` with the path of one that this provider's model cannot have."""
        declared = list(tools)
        has_own = any(tool.type in _CLIENTS for tool in declared)
        for number, tool in enumerate(declared):
            if tool.type == _WEB_SEARCH and tool.external_web_access is not None and has_own:
                self.ignored.add("tools.web_search")
            else:
                self._add(tool, f"{path}[{number}]")

    def upstream_name(self, tool: KnownTool) -> str:
        """Return the name of a tool for the upstream."""
        return self._names.shorten(tool.chat_name)

    def called(self, name: str) -> KnownTool:
        """Return the tool that the upstream called; a function of that name if it was not declared."""
        return self._known.get(name) or KnownTool(FUNCTION, self._names.restore(name))

    def _add(self, tool: responses.Tool, path: str, outer: responses.Tool | None = None) -> None:
        kind = tool.type
        if kind == _NAMESPACE and outer is None:
            _named(tool, path)
            for number, inner in enumerate(tool.tools or ()):
                self._add(inner, f"{path}.tools[{number}]", tool)
            return
        if kind not in _CLIENTS or kind == _NAMESPACE or (kind == TOOL_SEARCH and tool.execution != "client"):
            reject(
                path,
                f"is {strict.abbreviated(kind)!r}, a tool that OpenAI runs and this model's provider does not; "
                "leave it out, or declare a function",
            )
        if tool.allowed_callers is not None and _DIRECT not in tool.allowed_callers:
            reject(
                f"{path}.allowed_callers",
                "allows programs alone, which this model cannot write; add 'direct'",
            )
        if tool.output_schema is not None:
            self.ignored.add("tools.output_schema")
        if tool.is_async:
            self.ignored.add("tools.async")
        has_name = kind in (FUNCTION, CUSTOM)
        namespace = None if outer is None else outer.name
        known = KnownTool(kind, _named(tool, path) if has_name else kind, namespace)
        name = self.upstream_name(known)
        if self._known.setdefault(name, known) != known:
            reject(
                path,
                f"has the name {strict.abbreviated(known.chat_name)!r}, which another tool has; rename it",
            )
        self.functions[name] = {"type": "function", "function": _function(name, tool, outer)}


def _named(tool: responses.Tool, path: str) -> str:
    if not tool.name:
        reject(f"{path}.name", "is missing")
    return tool.name


def _function(name: str, tool: responses.Tool, outer: responses.Tool | None) -> dict[str, object]:
    """Return the function that stands for a tool; a namespace's description is part of that of its functions."""
    function: dict[str, object] = {"name": name}
    description = [one.description for one in (outer, tool) if one is not None and one.description]
    if tool.type == CUSTOM:
        if tool.format is not None and tool.format.type == "grammar":
            rule = f"The text of {INPUT!r} has to match this grammar ({tool.format.syntax}):"
            description.append(f"{rule}\n{tool.format.definition}")
        fields = parameter_fields(_OF_CUSTOM, strict=None)
    elif tool.type == LOCAL_SHELL:
        description.append("Runs a command on the user's machine.")
        fields = parameter_fields(_OF_LOCAL_SHELL, strict=None)
    else:
        fields = parameter_fields(tool.parameters or {"type": "object"}, strict=tool.strict)
    if description:
        function["description"] = "\n\n".join(description)
    return function | fields


def set_tools(table: ToolTable, request: responses.ResponsesRequest, fields: dict[str, object]) -> None:
    """Add the tools of the chat request and the choice among them; raises `InvalidRequest`.

    Only tools that are allowed are sent: few servers know of a choice among some.
    """
    choice = request.tool_choice
    functions = table.functions
    if isinstance(choice, responses.ToolChoice) and choice.type == "allowed_tools":
        allowed = {
            table.upstream_name(_chosen(one, f"tool_choice.tools[{number}]"))
            for number, one in enumerate(choice.tools or ())
            if one.type != _WEB_SEARCH
        }
        functions = {name: tool for name, tool in functions.items() if name in allowed}
        if not functions:
            reject("tool_choice", "allows none of the 'tools'")
        choice = choice.mode or "auto"
    if isinstance(choice, responses.ToolChoice):
        name = table.upstream_name(_chosen(choice, "tool_choice"))
        if name not in functions:
            reject("tool_choice", "names none of the 'tools'")
        wanted: object = {"type": "function", "function": {"name": name}}
    elif choice in (None, "auto", "none", "required"):
        wanted = choice
    else:
        reject("tool_choice", "must be none, auto, required, or a tool by its type and name")
    if not functions:
        if wanted not in (None, "auto", "none"):
            reject("tool_choice", "requires a call, but there are no 'tools'")
        return
    fields["tools"] = list(functions.values())
    if wanted is not None:
        fields["tool_choice"] = wanted
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls


def _chosen(choice: responses.ToolChoice, path: str) -> KnownTool:
    """Return the tool that a choice names."""
    if choice.type in (LOCAL_SHELL, TOOL_SEARCH):
        return KnownTool(choice.type, choice.type)
    if choice.type not in (FUNCTION, CUSTOM) or not choice.name:
        what = strict.abbreviated(choice.type)
        reject(
            path, f"is {what!r}, a tool that this model's provider does not have; choose one of the 'tools'"
        )
    return KnownTool(choice.type, choice.name, choice.namespace)
