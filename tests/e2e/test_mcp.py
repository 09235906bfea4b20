"""MCP's own conformance suite passes at both versions of the protocol, and an agent uses its reference server.

Skipped without them: `npm install @modelcontextprotocol/conformance @modelcontextprotocol/server-everything` somewhere,
and set CLAWGATE_TEST_MCP to that folder, with `node` on the path, in a network namespace without routes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import says, serving_agents, user
from tests.agents.tools.mcp.mcp_stand import eventually
from tests.app.test_mcp import asks_for, tools_of
from tests.e2e.offline import why_not

ROOT = Path(__file__).parents[2]
PACKAGES = (
    Path(os.environ.get("CLAWGATE_TEST_MCP", "/nonexistent")) / "node_modules" / "@modelcontextprotocol"
)
SUITE = PACKAGES / "conformance" / "dist" / "index.js"
SERVER = PACKAGES / "server-everything" / "dist" / "index.js"
NODE = shutil.which("node") or "node"
MISSING = why_not(SUITE, "CLAWGATE_TEST_MCP does not name a folder with MCP's conformance suite")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

OLD, NEW = "2025-11-25", "2026-07-28"
SCENARIOS = [
    (OLD, "initialize"),
    (OLD, "tools_call"),
    (OLD, "sse-retry"),
    (OLD, "json-schema-2020-12-preservation"),
    (NEW, "tools_call"),
    (NEW, "request-metadata"),
    (NEW, "http-standard-headers"),
    (NEW, "http-custom-headers"),
    (NEW, "http-invalid-tool-headers"),
    (NEW, "json-schema-ref-no-deref"),
    (NEW, "json-schema-2020-12-preservation"),
]
REFUSED = {"elicitation-sep1034-client-defaults", "sep-2322-client-request-state"}
"""They want a client that asks its user on behalf of a server; clawgate declares that it does not (decision 0041)."""


@pytest.mark.parametrize(("version", "scenario"), SCENARIOS)
async def test_a_scenario_of_the_conformance_suite_passes(
    tmp_path: Path, version: str, scenario: str
) -> None:
    client = f"{sys.executable} -m tests.agents.tools.mcp.conformance_client"
    arguments = ("--command", client, "--scenario", scenario, "--spec-version", version, "-o", str(tmp_path))
    suite = await asyncio.create_subprocess_exec(
        NODE,
        SUITE,
        "client",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await suite.communicate())[0].decode()
    assert suite.returncode == 0 and "OVERALL: PASSED" in output, output


async def test_every_scenario_for_clients_is_run_or_refused_on_purpose() -> None:
    """But for OAuth (auth/*), and for extensions of the protocol (sep-2640-*)."""
    listed = await asyncio.create_subprocess_exec(NODE, SUITE, "list", stdout=asyncio.subprocess.PIPE)
    text = (await listed.communicate())[0].decode()
    part = text.partition("Client scenarios")[2].partition("Authorization server")[0]
    names = {line.split()[1] for line in part.splitlines() if line.startswith("  - ")}
    rest = {name for name in names if not name.startswith(("auth/", "sep-2640-"))}
    assert rest == {scenario for _, scenario in SCENARIOS} | REFUSED


@asynccontextmanager
async def everything(transport: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the config of the reference server, which runs, unless a child is to run it."""
    if transport == "stdio":
        yield {"command": NODE, "args": [str(SERVER), "stdio"]}
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    name = "sse" if transport == "sse" else "streamableHttp"
    server = await asyncio.create_subprocess_exec(
        NODE, SERVER, name, env={**os.environ, "PORT": str(port)}, stdout=-3, stderr=-3
    )
    try:
        await eventually(lambda: _listens(port))
        path = "sse" if transport == "sse" else "mcp"
        yield {"url": f"http://127.0.0.1:{port}/{path}", "transport": transport}
    finally:
        server.kill()
        await server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("transport", ["stdio", "sse", "streamable-http"])
async def test_an_agent_uses_the_reference_server(tmp_path: Path, transport: str) -> None:
    """From a client's request to its response, over each transport."""
    own = {"entries": {"clawgate": {"config": {"mcp": {"servers": {"ref": {"allowPrivateNetwork": True}}}}}}}
    async with everything(transport) as server:
        config = {"mcp": {"servers": {"ref": server}}, "plugins": own}
        scripts = asks_for("ref__get-sum", '{"a": 2, "b": 40}'), says("it is 42")
        async with serving_agents(tmp_path, *scripts, config=config) as stand:
            await eventually(lambda: "ref__get-sum" in tools_of(stand))
            assert await stand.text(user("2 + 40?")) == "it is 42"
            second = json.loads(stand.model.requests[1].body)
    assert second["messages"][-1]["content"] == "The sum of 2 and 40 is 42."
