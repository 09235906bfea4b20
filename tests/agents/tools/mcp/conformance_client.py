"""The client that MCP's conformance suite starts: our host of servers, with one at the URL that is its last argument.

It lists the tools and calls what the scenario in MCP_CONFORMANCE_CONTEXT is about, with arguments for their schemas.
Where a message names ``clawgate mcp login`` it does what that command does, with a browser that allows everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clawgate.agents.tools.mcp.servers import McpServers
from clawgate.cli.mcp.browser import Browser
from clawgate.plugins.api import ToolCall
from clawgate.plugins.host.tools import RegisteredTool, run_tool
from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.egress.rules import Rule
from clawgate.relay.upstream.dial import Dialer
from tests.agents.tools.mcp.mcp_stand import entries, eventually

LOGIN = "clawgate mcp login"
LOGINS = 3
LOOPBACK = NetworkRules(allow=tuple(map(Rule.parse, ("127.0.0.0/8", "::1/128", "localhost"))))


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


class Run:
    """The servers of one scenario, and the logins at them."""

    def __init__(self, folder: Path, url: str, context: dict[str, Any]) -> None:
        self._folder = folder
        self._url = url
        self._context = context
        self._redirect_url = f"http://127.0.0.1:{_free_port()}/callback"

    @asynccontextmanager
    async def connected(self, browser: Browser | None = None) -> AsyncIterator[McpServers]:
        oauth = {
            "redirectUrl": self._redirect_url,
            "clientMetadataUrl": "https://conformance-test.local/client-metadata.json",
        }
        server = {"url": self._url, "transport": "streamable-http", "auth": "oauth", "oauth": oauth}
        host = McpServers(
            self._folder, Dialer(), wall_clock=lambda: 1.8e9, random=lambda: 0.0, browser=browser
        )
        try:
            found = entries({"it": server}, it=_own(self._folder, self._url, self._context))
            sys.stderr.write(f"{found[0].problem}\n")
            await host.use(found, {"PATH": "/usr/bin:/bin"}, LOOPBACK)
            running = host._running["it"].server
            await eventually(lambda: running._session is not None or bool(running.reason))
            sys.stderr.write(f"{running.reason}\n")
            yield host
        finally:
            await host.close()

    async def login(self) -> None:
        async with self.connected(Browser(self._redirect_url, _allow)):
            pass

    async def use(self) -> bool:
        """Call the tools; return whether a message says that a login is needed."""
        async with self.connected() as host:
            tools = host.tools()
            texts = [host._running["it"].server.reason]
            for tool in tools:
                texts += [await report(tool, one) for one in calls_of(tool, tools, self._context)]
        return any(LOGIN in text for text in texts)


def _own(folder: Path, url: str, context: dict[str, Any]) -> dict[str, Any]:
    """Return the client that an operator would write into the config, with what the suite hands out."""
    if "client_id" not in context:
        return {}
    oauth: dict[str, Any] = {"clientId": context["client_id"]}
    oauth["issuer"] = context.get("issuer") or _issuer(url)
    if "issuer" not in context:
        oauth["grant"] = "client_credentials"
    if "client_secret" in context:
        oauth["clientSecret"] = context["client_secret"]
    if "private_key_pem" in context:
        oauth["privateKeyFile"] = str(folder / "key.pem")
        (folder / "key.pem").write_text(context["private_key_pem"])
    return {"oauth": oauth}


def _issuer(url: str) -> str:
    origin = "/".join(url.split("/")[:3])
    with urllib.request.urlopen(f"{origin}/.well-known/oauth-protected-resource/mcp") as response:
        return str(json.load(response)["authorization_servers"][0])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _allow(text: str) -> None:
    """Visit the address in ``text`` as a browser whose user allows the access."""
    url = next((line.strip() for line in text.splitlines() if line.strip().startswith("http")), None)
    if url is not None:
        asyncio.get_running_loop().run_in_executor(None, _visit, url)


def _visit(url: str) -> None:
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as response:
        response.read()


async def main() -> None:
    url = sys.argv[-1]
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), url, context)
        for _ in range(LOGINS):
            if not await run.use():
                return
            await run.login()
        await run.use()


def calls_of(
    tool: RegisteredTool, tools: list[RegisteredTool], context: dict[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the arguments of calls: what the suite wants, or an example; its echo gets what a model reads."""
    name = tool.name.partition("__")[2]
    if name == "json_schema_echo":
        return [{"schema": _parameters(one)} for one in tools if one is not tool]
    wanted = [one["arguments"] for one in context.get("toolCalls", []) if one["name"] == name]
    return wanted or [example(_parameters(tool))]


def _parameters(tool: RegisteredTool) -> dict[str, Any]:
    return dict(tool.definition()["function"]["parameters"])


async def report(tool: RegisteredTool, arguments: Mapping[str, Any]) -> str:
    given = ToolCall(id="c", name=tool.name, arguments=arguments, agent="main", session="s")
    result = await run_tool(tool, given)
    sys.stderr.write(f"{tool.name}: {result.text[:500]}\n")
    return result.text


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
