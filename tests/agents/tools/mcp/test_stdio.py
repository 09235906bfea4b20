"""A server is a child: no shell, little of our environment, gone with us; and whatever it writes is bounded."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agents.tools.mcp.mcp_stand import (
    SCRIPT,
    call,
    connected,
    eventually,
    failure_of,
    scripted,
    tools_of,
)
from tests.processes.supervised import is_there, there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for descendants in /proc")


async def test_a_server_has_little_of_the_gateways_environment_and_a_folder_of_its_own(
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text('[{"name": "environment", "inputSchema": {"type": "object"}}]')
    server = scripted("plain", tools, env={"DOCS_KEY": "k", "N": 5})
    async with connected(tmp_path, {"docs": server}) as host:
        environment = json.loads((await call(host, "docs__environment")).text)
        folders = {Path(f"/proc/{pid}/cwd").resolve() for pid in there()}
        assert tmp_path / "clawgate" / "mcp" / "folders" / "docs" in folders and Path.cwd() not in folders
    assert set(environment) - {"LC_CTYPE"} == {"PATH", "DOCS_KEY", "N", "CLAWGATE_CHILD"}
    assert (environment["DOCS_KEY"], environment["N"]) == ("k", "5")


async def test_nothing_is_left_of_a_server_that_is_closed(tmp_path: Path) -> None:
    before = there()
    async with connected(tmp_path, {"docs": scripted("plain")}) as host:
        await tools_of(host, "docs__echo")
        assert there() > before
    assert there() == before


def test_a_server_ends_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(SCRIPT.parents[2])!r})
from pathlib import Path
from tests.agents.tools.mcp.mcp_stand import connected, scripted, tools_of
from tests.processes.supervised import there
async def main():
    async with connected(Path({str(tmp_path)!r}), {{"docs": scripted("plain")}}) as host:
        await tools_of(host, "docs__echo")
        print(*there(), flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""
    gateway = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert gateway.stdout is not None
    pids = [int(pid) for pid in gateway.stdout.readline().split()]
    os.kill(gateway.pid, signal.SIGKILL)
    gateway.wait()
    gateway.stdout.close()
    assert len(pids) == 2  # the subreaper and the server

    asyncio.run(eventually(lambda: not any(map(is_there, pids))))


async def test_a_command_that_does_not_exist_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": {"command": "no-such-mcp-server"}}) as host:
        reason = await failure_of(host, "docs")
        assert "no-such-mcp-server not found: not on the PATH of the child; install it" in reason
        assert host.tools() == []


async def test_a_server_that_ends_at_once_is_explained_by_its_last_lines(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": scripted("exit")}) as host:
        reason = await failure_of(host, "docs")
    assert "it exited with status 4; its last lines: a setting is missing" in reason


async def test_a_list_that_is_none_is_explained(tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text('[{"name": "a", "inputSchema": {}}]')
    async with connected(tmp_path, {"docs": scripted("plain", tools)}) as host:
        reason = await failure_of(host, "docs")
    assert reason == "ListToolsResult: tools.0.inputSchema.type: Field required"  # not that it was left then


async def test_a_silent_server_is_given_up_after_its_time(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": scripted("silent", connectionTimeoutMs=300)}) as host:
        assert "no list of tools within 0.3 s" in await failure_of(host, "docs")


async def test_what_is_no_message_is_logged_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clawgate.mcp")
    async with connected(tmp_path, {"docs": scripted("garbage")}) as host:
        assert (await call(host, "docs__echo", text="a")).text == 'echo: {"text": "a"}'
    assert "mcp docs: | starting up: {not json" in caplog.text


async def test_a_server_that_writes_without_end_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": scripted("huge")}) as host:
        result = await call(host, "docs__echo")
        assert result.is_error and "the connection to the server ended during the call" in result.text
        assert "a message of more than 4194304 bytes" in await failure_of(host, "docs")
        await eventually(lambda: host._running["docs"].server._session is not None)


async def test_a_server_that_asks_without_end_and_reads_no_response_is_cut_off(tmp_path: Path) -> None:
    async with connected(tmp_path, {"docs": scripted("deaf")}) as host:
        assert (await call(host, "docs__echo")).is_error
        assert "it sent requests, and reads no response" in await failure_of(host, "docs")


async def test_its_error_output_is_logged_without_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clawgate.mcp")
    async with connected(tmp_path, {"docs": scripted("crash", env={"MY_TOKEN": "hunter2hunter2"})}) as host:
        result = await call(host, "docs__echo")
        assert result.is_error and "may have had its effect" in result.text
        await failure_of(host, "docs")
    assert "mcp docs: | it broke: token=***" in caplog.text
    assert "sk-abcdefghijklmnop1234" not in caplog.text + result.text
