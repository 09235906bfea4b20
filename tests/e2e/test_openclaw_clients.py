"""OpenClaw's own clients talk to the gateway: its reference client, and its command line.

The reference client is installed by npm, see `tests.contract.openclaw_contract`, and needs Node. The command line needs
CLAWGATE_TEST_OPENCLAW and no network, see `test_openclaw_host`. Each test is skipped with its reason without them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import AgentStand, says, serving_agents
from tests.contract.openclaw_contract import installed
from tests.e2e.test_openclaw_host import MISSING, PACKAGE
from tests.routing.gateway_server import CLIENT_TOKEN

NODE = shutil.which("node")
SECONDS = 90.0

SCRIPT = """
import { pathToFileURL } from "node:url";
const [root, url, token] = process.argv.slice(1);
const { GatewayClient } = await import(pathToFileURL(`${root}/@openclaw/gateway-client/dist/index.mjs`));
const seen = { errors: [] };
const later = () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const over = later(), hello = later();
const client = new GatewayClient({
  url, token, minProtocol: 4, maxProtocol: 4, scopes: ["operator.read", "operator.write", "operator.admin"],
  onHelloOk: value => hello.resolve(value), onConnectError: error => hello.reject(error),
  onEvent: event => { if (event.payload?.state === "final") over.resolve(); },
});
client.start();
try {
  seen.hello = await hello.promise;
  for (const [name, params] of [["health", {}], ["status", {}], ["models.list", {}], ["agents.list", {}]])
    seen[name] = await client.request(name, params);
  seen.accepted = await client.request("chat.send", { sessionKey: "main", message: "hi", idempotencyKey: "r1" });
  await over.promise;
  seen.wait = await client.request("agent.wait", { runId: "r1", timeoutMs: 10000 });
  seen.agent = await client.request("agent", { message: "again", idempotencyKey: "r2" }, { expectFinal: true });
  seen.history = await client.request("chat.history", { sessionKey: "main" });
  await client.request("nope", {}).catch(error => seen.errors.push(error.message));
} catch (error) { seen.failed = { message: String(error.message), details: error.details ?? null }; }
client.stop();
console.log(JSON.stringify(seen));
process.exit(0);
"""


async def output(*command: str, home: Path, path: str = "") -> tuple[int, str]:
    """Run a program while the gateway serves in this process."""
    environment = {
        "HOME": str(home),
        "PATH": path or os.environ["PATH"],
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }
    program = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await program.communicate()
    return program.returncode or 0, out.decode()


def socket_url(stand: AgentStand) -> str:
    return stand.gateway.url.replace("http://", "ws://")


async def reference(stand: AgentStand, home: Path, token: str) -> dict[str, Any]:
    if NODE is None:
        pytest.skip("node is not installed")
    status, printed = await output(
        NODE, "--input-type=module", "-e", SCRIPT, str(installed()), socket_url(stand), token, home=home
    )
    assert status == 0, printed
    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return seen


async def test_the_reference_client_connects_sends_and_reads(tmp_path: Path) -> None:
    installed()
    async with serving_agents(tmp_path, says("hello"), says("hello", " again")) as stand:
        seen = await reference(stand, tmp_path, CLIENT_TOKEN)
    assert "failed" not in seen, seen["failed"]
    assert (seen["hello"]["protocol"], seen["health"]["ok"]) == (4, True)
    assert [model["id"] for model in seen["models.list"]["models"]] == ["m", "other"]
    assert (seen["accepted"]["status"], seen["wait"]["status"]) == ("started", "ok")
    assert seen["agent"]["result"]["payloads"][0]["text"] == "hello again"
    assert [one["content"][0]["text"] for one in seen["history"]["messages"]] == [
        "hi",
        "hello",
        "again",
        "hello again",
    ]
    assert seen["errors"] == ["unknown method: nope"]


async def test_the_reference_client_learns_that_its_token_is_wrong(tmp_path: Path) -> None:
    installed()
    async with serving_agents(tmp_path) as stand:
        seen = await reference(stand, tmp_path, "wrong-token-123456")
    assert seen["failed"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"


async def openclaw(home: Path, *arguments: str) -> tuple[int, str]:
    if MISSING:
        pytest.skip(MISSING)
    return await output("node", str(PACKAGE / "openclaw.mjs"), *arguments, home=home)


async def test_the_command_line_asks_for_health_and_status(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    async with serving_agents(tmp_path / "gateway") as stand:
        to = ("--url", socket_url(stand), "--token", CLIENT_TOKEN)
        status, printed = await openclaw(tmp_path, "gateway", "health", *to)
        assert (status, "OK" in printed) == (0, True), printed
        status, printed = await openclaw(tmp_path, "gateway", "status", *to)
        assert status == 0 and "Connectivity probe: ok" in printed and "Capability: read-only" in printed, (
            printed
        )
        status, printed = await openclaw(
            tmp_path, "gateway", "health", "--url", to[1], "--token", "wrong-123456789"
        )
        assert status != 0 and "gateway token mismatch" in printed


async def test_the_command_line_takes_a_turn_of_an_agent(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    async with serving_agents(tmp_path / "gateway", says("hello"), says("again")) as stand:
        folder = tmp_path / ".openclaw"
        folder.mkdir()
        remote = {"url": socket_url(stand), "token": CLIENT_TOKEN}
        (folder / "openclaw.json").write_text(json.dumps({"gateway": {"mode": "remote", "remote": remote}}))
        status, printed = await openclaw(tmp_path, "agent", "--agent", "main", "--message", "hi", "--json")
        assert status == 0, printed
        result = json.loads(printed[printed.index("{") :])
        assert (result["status"], result["result"]["payloads"][0]["text"]) == ("ok", "hello")
        status, printed = await openclaw(tmp_path, "models", "list")
        assert status == 0 and "up/m" in printed, printed
