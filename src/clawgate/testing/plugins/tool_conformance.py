"""Checks that a tool of a plugin keeps the interface: its schema, and what it does when it is called wrong.

Part of `clawgate.testing.plugins.conformance`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawgate.plugins import api
from clawgate.plugins.host.isolation import reason_of
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.testing.plugins.fake_host import FakeHost, tool_call

_SECONDS = 10.0


async def tool_problems(tool: RegisteredTool, services: Sequence[api.Service], host: FakeHost) -> list[str]:
    """Return what is wrong with ``tool``, which is called without arguments while ``services`` run."""
    function = tool.definition()["function"]
    problems = list(_schema_problems(function["parameters"], is_strict=function.get("strict") is True))
    for service in services:
        with contextlib.suppress(api.PluginError):
            await service.start(host)
    try:
        problems += await _call_problems(tool)
    finally:
        for service in reversed(services):
            await service.stop()
    return problems


def _schema_problems(schema: Mapping[str, Any], *, is_strict: bool) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name, property_schema in properties.items():
        if not isinstance(property_schema, dict) or not property_schema.get("description"):
            yield f"the parameter '{name}' has no description, by which a model knows what to pass"
    if unknown := sorted(set(schema.get("required", ())) - set(properties)):
        yield f"'required' lists {', '.join(unknown)}, which 'properties' does not"
    if is_strict and schema.get("additionalProperties") is not False:
        yield "it is strict, so its schema needs 'additionalProperties': false"
    if is_strict and (optional := sorted(set(properties) - set(schema.get("required", ())))):
        yield f"it is strict, so 'required' must list {', '.join(optional)}"


async def _call_problems(tool: RegisteredTool) -> list[str]:
    try:
        async with asyncio.timeout(min(_SECONDS, tool.timeout)):
            result = await tool.run(tool_call(tool.name))
    except api.ToolFailed:
        return []
    except TimeoutError:
        return [f"a call without arguments took longer than {min(_SECONDS, tool.timeout):g} s"]
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        return [
            f"a call without arguments raised {reason_of(error)}; raise ToolFailed for what the model can do better"
        ]
    if isinstance(result, str | api.ToolResult):
        return []
    return [f"a call returned {type(result).__name__}, not text or a ToolResult"]
