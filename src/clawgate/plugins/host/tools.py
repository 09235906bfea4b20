"""Copies the tools that plugins register, and runs them.

Invariant: what was registered is what runs. A tool is copied once, so its plugin cannot change what the model and the
operator see of it. Whatever its code does, the caller gets a result, which says nothing of the inside of a failure.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from clawgate.plugins import api
from clawgate.plugins.host.isolation import PluginFailed, reason_of, run_contained, text_of
from clawgate.plugins.host.manifest import ToolName
from clawgate.settings.problems import format_message

logger = logging.getLogger("clawgate.plugins")

_MAX_DEFINITION = 65_536
"""Characters of a tool's description and parameters: each model call sends them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTool:
    """A tool as it was when it was registered; ``parameters`` is JSON. ``clean`` redacts its plugin's secrets.

    ``family`` is a further name, beside that of its plugin, by which lists of tools may name all of a kind.
    """

    plugin: str
    name: str
    description: str
    parameters: str
    strict: bool | None
    timeout: float
    run: Callable[[api.ToolCall], Awaitable[object]] = field(repr=False)
    family: str = ""
    clean: Callable[[str], str] = field(default=str, repr=False)

    def definition(self) -> dict[str, Any]:
        """Return the tool as OpenAI's ``tools`` have it, a new object each time."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": json.loads(self.parameters),
        }
        return {
            "type": "function",
            "function": function if self.strict is None else {**function, "strict": self.strict},
        }


class _Declared(BaseModel):
    """What a tool must be, so that a model can be offered it."""

    model_config = ConfigDict(strict=True)

    name: ToolName
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    timeout: Annotated[float, Field(gt=0, le=86_400)]
    strict: bool | None


def register_tool(plugin: str, tool: object) -> RegisteredTool:
    """Return a copy of ``tool``. Raises `PluginFailed` with what is wrong with it."""
    if not isinstance(tool, api.Tool):
        raise PluginFailed(f"a tool must be a Tool, and it registers {type(tool).__name__}")
    try:
        declared = _Declared.model_validate({name: getattr(tool, name) for name in _Declared.model_fields})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = f"{first['loc'][0]} {format_message(first)}"
        raise PluginFailed(f"the tool {str(tool.name)[:80]!a} cannot be offered: {problem}") from None
    name = declared.name
    if not inspect.iscoroutinefunction(tool.run):
        raise PluginFailed(f"run of the tool '{name}' must be 'async def'")
    parameters = _schema(name, tool.parameters)
    if len(declared.description) + len(parameters) > _MAX_DEFINITION:
        raise PluginFailed(
            f"the description and parameters of the tool '{name}' exceed {_MAX_DEFINITION} characters"
        )
    return RegisteredTool(plugin=plugin, parameters=parameters, run=tool.run, **declared.model_dump())


def _schema(name: str, parameters: object) -> str:
    try:
        text = json.dumps(
            dict(parameters) if isinstance(parameters, Mapping) else parameters,
            allow_nan=False,
            ensure_ascii=False,
        )
        text.encode()
        schema = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginFailed(f"parameters of the tool '{name}' are not JSON: {reason_of(error)}") from None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise PluginFailed(f'parameters of the tool \'{name}\' must be a JSON schema with "type": "object"')
    return text


async def run_tool(tool: RegisteredTool, call: api.ToolCall) -> api.ToolResult:
    """Return what the model reads. Cancelled, it cancels the tool."""
    try:
        result = await run_contained(tool.plugin, f"tool '{tool.name}'", lambda: tool.run(call), tool.timeout)
        if isinstance(result, api.ToolResult) and isinstance(result.text, str):
            return api.ToolResult(tool.clean(result.text), bool(result.is_error))
        if isinstance(result, str):
            return api.ToolResult(tool.clean(result))
        raise PluginFailed(
            f"its tool '{tool.name}' returned {type(result).__name__}, not text or a ToolResult"
        )
    except asyncio.CancelledError:
        raise
    except api.ToolFailed as error:
        return api.ToolResult(tool.clean(text_of(error)), is_error=True)
    except BaseException as error:  # the plugin boundary
        logger.debug("plugin failed plugin=%s tool=%s", tool.plugin, tool.name, exc_info=error)
        reason = tool.clean(reason_of(error))
        logger.error("[plugins] %s: tool '%s' failed: %s", tool.plugin, tool.name, reason)  # noqa: TRY400  # at debug
        return api.ToolResult(_for_the_model(error), is_error=True)


def _for_the_model(error: BaseException) -> str:
    """Return a text of the host's own, and of the plugin no more than the type of what it raised."""
    cause = error.__cause__ if isinstance(error, PluginFailed) else error
    return f"the tool failed: {error if cause is None else type(cause).__name__}"
