"""Servers follow the config, one by one, and without the SDK none of them is offered."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from clawgate.agents.tools.mcp.servers import INHERITED, McpServers, SdkMissing
from clawgate.relay.upstream.dial import Dialer
from tests.agents.tools.mcp.mcp_stand import NOW, call, connected, entries, scripted, tools_of


async def test_a_server_keeps_its_session_until_its_own_settings_change(tmp_path: Path) -> None:
    servers = {"docs": scripted("plain"), "other": scripted("plain")}
    environment = {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "sk-canary"}
    async with connected(tmp_path, servers) as host:
        await tools_of(host, "docs__echo", "other__echo")
        session = await host._running["docs"].server.current_session()
        await host.use(entries({**servers, "other": scripted("plain", requestTimeoutMs=5)}), environment)
        assert host._running["docs"].server._session is session
        await host.use(entries({**servers, "docs": {**scripted("plain"), "enabled": False}}), environment)
        await tools_of(host, "other__echo")
        await host.use(entries(servers), {**environment, "OPENAI_API_KEY": "sk-other"})
        other = host._running["other"].server
        await host.use(entries(servers), {**environment, "PATH": "/bin"})
        assert host._running["other"].server is not other


async def test_a_secret_of_a_server_is_in_no_result_of_it(tmp_path: Path) -> None:
    server = scripted("plain", env={"DOCS_TOKEN": "hunter2hunter2"})
    async with connected(tmp_path, {"docs": server}) as host:
        assert (
            await call(host, "docs__echo", text="it is hunter2hunter2")
        ).text == 'echo: {"text": "it is ***"}'


async def test_without_the_sdk_no_tool_is_offered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with connected(tmp_path, {"docs": scripted("plain")}) as host:
        await tools_of(host, "docs__echo")

    def missing() -> None:
        raise SdkMissing("run: pip install 'clawgate[mcp]'")

    host = McpServers(tmp_path, Dialer(), wall_clock=lambda: NOW, random=lambda: 0.0, load=missing)
    await host.use(entries({"docs": scripted("plain")}), {})
    assert host.tools() == []
    assert "mcp.servers: run: pip install 'clawgate[mcp]'" in caplog.text
    await host.close()


def test_the_docs_name_what_a_server_has_of_our_environment() -> None:
    text = (Path(__file__).parents[4] / "docs" / "mcp.md").read_text()
    *names, last = (f"`{name}`" for name in INHERITED)
    assert f"{', '.join(names)} and {last} of the gateway" in text


async def test_a_program_that_ends_where_it_is_not_initialized_first_is_used(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": scripted("strict")}) as host:
        assert (await call(host, "docs__echo", text="x")).text == 'echo: {"text": "x"}'
        assert await host.result_of("docs") == ("2025-11-25", "")


async def test_a_program_that_ignores_what_is_not_initialize_is_used_within_a_short_limit(
    tmp_path: Path,
) -> None:
    """The SDK waits for 10 s before it tries the older protocol."""
    async with connected(tmp_path, {"docs": scripted("ignores", connectionTimeoutMs=8000)}) as host:
        assert (
            await call(host, "docs__echo", text="x")
        ).text == 'echo: {"text": "x"}'  # tried again if need be
        assert await host.result_of("docs") == ("2025-11-25", "")


def test_no_garbage_collection_walks_the_sdk() -> None:
    """It took 80 ms, in the middle of a result of 20 000 values; counted in objects."""
    code = (
        "import gc\nfrom clawgate.agents.tools.mcp.servers import load_sdk\n"
        "gc.freeze()\nload_sdk()\nprint(len(gc.get_objects()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000
