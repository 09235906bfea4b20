"""The client that MCP's conformance suite starts: our host of servers, with one at the URL that is its last argument.

It lists the tools and calls what the scenario in MCP_CONFORMANCE_SCENARIO is about, with arguments for their schemas.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from clawgate.plugins.api import ToolCall
from clawgate.plugins.host.tools import RegisteredTool, run_tool
from tests.agents.tools.mcp.mcp_stand import connected, eventually


def example(schema: dict[str, Any]) -> Any:
    """Return a value for a schema."""
    match schema.get("type"):
        case "object":
            return {name: example(part) for name, part in schema.get("properties", {}).items()}
        case "integer" | "number":
            return 5
        case "boolean":
            return True
        case "array":
            return []
        case _:
            return "us-west1"


async def main() -> None:
    url = sys.argv[-1]
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory() as folder:
        server = {"url": url, "transport": "streamable-http"}
        async with connected(Path(folder), {"it": server}, it={"allowPrivateNetwork": True}) as host:
            running = host._running["it"].server
            await eventually(lambda: running._session is not None or bool(running.reason))
            sys.stderr.write(f"{running.reason}\ncontext {context}\n")
            tools = host.tools()
            for tool in tools:
                await report(tool, calls_of(tool, tools, context))


def calls_of(
    tool: RegisteredTool, tools: list[RegisteredTool], context: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the arguments of calls: what the suite wants, or an example; its echo gets what a model reads."""
    name = tool.name.partition("__")[2]
    if name == "json_schema_echo":
        return [{"schema": _parameters(one)} for one in tools if one is not tool]
    wanted = [one["arguments"] for one in context.get("toolCalls", []) if one["name"] == name]
    return wanted or [example(_parameters(tool))]


def _parameters(tool: RegisteredTool) -> dict[str, Any]:
    return dict(tool.definition()["function"]["parameters"])


async def report(tool: RegisteredTool, calls: list[dict[str, Any]]) -> None:
    for arguments in calls:
        given = ToolCall(id="c", name=tool.name, arguments=arguments, agent="main", session="s")
        result = await run_tool(tool, given)
        sys.stderr.write(f"{tool.name}: {result.text[:500]}\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
