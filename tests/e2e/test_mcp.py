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

OLD, NEW, FIRST, EXTENSION = "2025-11-25", "2026-07-28", "2025-03-26", "extension"
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
    (NEW, "sep-2322-client-request-state"),
    *(
        (version, f"auth/{name}")
        for version in (OLD, NEW)
        for name in (
            "metadata-default",
            "metadata-var1",
            "metadata-var2",
            "metadata-var3",
            "basic-cimd",
            "scope-from-www-authenticate",
            "scope-from-scopes-supported",
            "scope-omitted-when-undefined",
            "scope-step-up",
            "scope-retry-limit",
            "token-endpoint-auth-basic",
            "token-endpoint-auth-post",
            "token-endpoint-auth-none",
            "pre-registration",
        )
    ),
    (NEW, "auth/resource-mismatch"),
    (NEW, "auth/offline-access-scope"),
    (NEW, "auth/offline-access-not-supported"),
    (NEW, "auth/authorization-server-migration"),
    (NEW, "auth/iss-supported"),
    (NEW, "auth/iss-not-advertised"),
    (NEW, "auth/iss-supported-missing"),
    (NEW, "auth/iss-wrong-issuer"),
    (NEW, "auth/iss-unexpected"),
    (NEW, "auth/iss-normalized"),
    (NEW, "auth/metadata-issuer-mismatch"),
    (FIRST, "auth/2025-03-26-oauth-metadata-backcompat"),
    (FIRST, "auth/2025-03-26-oauth-endpoint-fallback"),
    (EXTENSION, "auth/client-credentials-jwt"),
    (EXTENSION, "auth/client-credentials-basic"),
]
REFUSED = {
    (OLD, "elicitation-sep1034-client-defaults"): "it wants a form accepted that no user has seen",
    (EXTENSION, "auth/dpop"): "the SDK binds no token to a key",
    (EXTENSION, "auth/dpop-nonce"): "the SDK binds no token to a key",
    (
        EXTENSION,
        "auth/enterprise-managed-authorization",
    ): "it exchanges the login of a user at a company's provider",
    (EXTENSION, "auth/wif-jwt-bearer"): "it presents a token of the platform that a workload runs on",
}
"""Not supported on purpose, with the reason; docs/mcp.md lists them."""
UNUSED = {
    "sep-2640-client-no-prefetch",
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
}
"""About skills, which are not read from servers: the suite skips its checks."""


async def run(folder: Path, version: str, scenario: str) -> tuple[int | None, str]:
    """Return the exit code and the output of one scenario."""
    client = f"{sys.executable} -m tests.agents.tools.mcp.conformance_client"
    at = ("--force",) if version == EXTENSION else ("--spec-version", version)
    suite = await asyncio.create_subprocess_exec(
        NODE,
        SUITE,
        "client",
        *("--command", client, "--scenario", scenario, *at, "-o", str(folder)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await suite.communicate())[0].decode()
    return suite.returncode, output


@pytest.mark.parametrize(("version", "scenario"), SCENARIOS)
async def test_a_scenario_of_the_conformance_suite_passes(
    tmp_path: Path, version: str, scenario: str
) -> None:
    code, output = await run(tmp_path, version, scenario)
    assert code == 0 and "OVERALL: PASSED" in output, output


@pytest.mark.parametrize(("version", "scenario"), REFUSED)
async def test_what_is_not_supported_on_purpose_fails(tmp_path: Path, version: str, scenario: str) -> None:
    """One that passes belongs into SCENARIOS."""
    assert "OVERALL: FAILED" in (await run(tmp_path, version, scenario))[1]
    assert f"`{scenario}`" in (ROOT / "docs" / "mcp.md").read_text()


async def test_every_scenario_for_clients_is_run_or_refused_on_purpose() -> None:
    listed = await asyncio.create_subprocess_exec(NODE, SUITE, "list", stdout=asyncio.subprocess.PIPE)
    text = (await listed.communicate())[0].decode()
    part = text.partition("Client scenarios")[2].partition("Authorization server")[0]
    found: set[tuple[str, str]] = set()
    for line in part.splitlines():
        if line.startswith("  - "):
            name, versions = line.removeprefix("  - ").rstrip("]").split(" [")
            known = set(versions.split(",")) & {OLD, NEW} or {versions}
            found |= {(version, name) for version in known if name not in UNUSED}
    assert found == {*SCENARIOS, *REFUSED}


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
