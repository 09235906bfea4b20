"""Runs MCP servers of a config as the gateway does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clawgate.agents.tools.mcp.servers import McpServers
from clawgate.plugins.api import ToolCall, ToolResult
from clawgate.plugins.host.tools import RegisteredTool, run_tool
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.peers.waiting import DEFAULT_LIMIT

SCRIPT = Path(__file__).parents[3] / "peers" / "mcp_server.py"
NOW = 1_800_000_000.0


async def eventually(ready: Callable[[], bool]) -> None:
    """Return once ``ready`` holds, which a process of its own makes true."""
    async with asyncio.timeout(DEFAULT_LIMIT):
        while not ready():  # noqa: ASYNC110  # a process of its own sets no event
            await asyncio.sleep(0.005)


def scripted(mode: str, *file: Path, **more: Any) -> dict[str, Any]:
    """Return the config of a server that behaves as ``mode`` of the script says."""
    return {"command": sys.executable, "args": ["-I", str(SCRIPT), mode, *map(str, file)], **more}


def entries(servers: dict[str, Any], **own: Any) -> tuple[McpServerEntry, ...]:
    plugins = {"entries": {"clawgate": {"config": {"mcp": {"servers": own}}}}} if own else {}
    return mcp_servers(OpenClawConfig.model_validate({"mcp": {"servers": servers}, "plugins": plugins}), ())


@asynccontextmanager
async def connected(
    state: Path, servers: dict[str, Any], dialer: Dialer | None = None, **own: Any
) -> AsyncIterator[McpServers]:
    """Yield the servers, connected for as long as the block runs."""
    host = McpServers(state, dialer or Dialer(), wall_clock=lambda: NOW, random=lambda: 0.0)
    try:
        await host.use(entries(servers, **own), {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "sk-canary"})
        yield host
    finally:
        await host.close()


async def tools_of(host: McpServers, *names: str) -> dict[str, RegisteredTool]:
    """Wait until exactly these tools are offered, or any if none is named."""

    def found() -> dict[str, RegisteredTool]:
        return {tool.name: tool for tool in host.tools()}

    await eventually(lambda: set(found()) == set(names) if names else bool(found()))
    return found()


async def call(host: McpServers, name: str, **arguments: Any) -> ToolResult:
    tools = await tools_of(host)
    given = ToolCall(id="c1", name=name, arguments=arguments, agent="main", session="s")
    return await run_tool(tools[name], given)


async def failure_of(host: McpServers, name: str) -> str:
    """Return why the server ``name`` could not be connected."""
    server = host._running[name].server
    await eventually(lambda: bool(server.reason))
    return server.reason
