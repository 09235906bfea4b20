"""A refused address as a stranger meets it: everywhere the same reason, the exact setting, a command that works."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.egress import explain as explain_command
from clawgate.cli.main import clawgate
from clawgate.policy.egress_ledger import LedgerQuery
from clawgate.relay.upstream.dial import Dialer
from tests.cli.catalogs import alone
from tests.cli.gateway_home import TOKEN, Home
from tests.control.websocket.socket_stand import connected
from tests.routing.gateway_server import config_of, question, serving_gateway

_COMMAND = re.compile(r"clawgate (config set .+)$", re.MULTILINE)
NETWORK = "plugins.entries.clawgate.config.network"


def provider(url: str, **more: Any) -> dict[str, Any]:
    models = [{"id": "m", "name": "m"}]
    return {
        "baseUrl": f"{url}/v1",
        "api": "openai-completions",
        "apiKey": "k-canary-123456",
        "models": models,
        **more,
    }


@dataclass(frozen=True, slots=True)
class Cause:
    """What is refused; ``setting`` is what opens it, "" where the command is the operator's own to choose."""

    requester: str
    url: str
    setting: str
    providers: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        config = config_of(self.providers)
        config["gateway"] |= {"mode": "local", "port": 18789, "auth": {"mode": "token", "token": TOKEN}}
        return config | self.more


LAN, NAMED, FAKE = "http://10.0.0.9:8000", "http://llm.example", "https://fake.example"
CAUSES = {
    "a private address": Cause(
        "provider:lan", LAN, "models.providers.lan.request.allowPrivateNetwork", {"lan": provider(LAN)}
    ),
    "a provider with dots in its id": Cause(
        "provider:my.lan", LAN, 'models.providers["my.lan"].request.allowPrivateNetwork', {"my.lan": provider(LAN)},
    ),
    "localhost": Cause(
        "provider:near", "http://localhost:9", "models.providers.near.request.allowPrivateNetwork",
        {"near": provider("http://localhost:9")},
    ),
    "a name with a private address": Cause(
        "provider:named", NAMED, "models.providers.named.request.allowPrivateNetwork", {"named": provider(NAMED)}
    ),
    "owl": Cause(
        "provider:owl", LAN, "plugins.entries.owl.config.allowPrivateNetwork",
        more={"plugins": {"entries": {"owl": {"config": {"baseUrl": LAN, "auth": "none"}}}}},
    ),
    "a fake-IP DNS": Cause("provider:fake", FAKE, f"{NETWORK}.fakeIp", {"fake": provider(FAKE)}),
    "a fake-IP DNS for a tool": Cause(
        "tool:web_fetch", FAKE, f"{NETWORK}.fakeIp.hosts",
        more={"plugins": {"entries": {"clawgate": {"config": {"network": {"fakeIp": {"hosts": ["*.lan"]}}}}}}},
    ),
    "a tool": Cause("tool:web_fetch", LAN, "tools.web.fetch.allowPrivateNetwork"),
    "an MCP server": Cause(
        "mcp:files", LAN, "plugins.entries.clawgate.config.mcp.servers.files.allowPrivateNetwork",
        more={"mcp": {"servers": {"files": {"url": f"{LAN}/mcp"}}}},
    ),
    "a plugin": Cause("plugin:weather", LAN, "gateway.allowPrivateNetwork"),
}  # fmt: skip
OF_PROVIDERS = {name: cause for name, cause in CAUSES.items() if cause.requester.startswith("provider:")}


async def resolver(host: str, port: int) -> Sequence[str]:
    return [
        {"llm.example": "10.0.0.9", "fake.example": "198.18.0.7", "localhost": "127.0.0.1"}.get(host, host)
    ]


class Commands:
    """Commands in this process, with a config of their own and no DNS."""

    def __init__(self, folder: Path, cause: Cause) -> None:
        self.cause = cause
        state = folder / ".openclaw"
        state.mkdir(mode=0o700)
        self.path = state / "openclaw.json"
        self.path.write_text(json.dumps(cause.config()))
        self.path.chmod(0o600)

    def run(self, *arguments: str) -> Result:
        found = CliRunner().invoke(clawgate, arguments)
        assert "Traceback" not in found.output
        return found

    def explain(self) -> Result:
        cause = self.cause
        return self.run("egress", "explain", cause.url, "--requester", cause.requester, "--resolve", "--json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    monkeypatch.setattr(explain_command, "system_resolver", resolver)
    return tmp_path


@pytest.mark.parametrize("name", CAUSES)
def test_the_command_of_a_refusal_opens_it_and_nothing_else_when_it_is_pasted(
    folder: Path, name: str
) -> None:
    cause = CAUSES[name]
    commands = Commands(folder, cause)
    found = commands.explain()
    message = json.loads(found.stdout)["message"]
    assert found.exit_code == 1 and message.startswith(cause.url)
    pasted = _COMMAND.search(message)
    assert pasted is not None, message
    words = shlex.split(pasted[1])
    assert words[2] == cause.setting
    done = commands.run(*words)
    assert done.exit_code == 0, done.output
    opened = commands.explain()
    assert opened.exit_code == 0 and json.loads(opened.stdout)["verdict"] == "allowed", opened.output
    assert commands.run("config", "validate").exit_code == 0
    never = commands.run(
        "egress", "explain", "http://169.254.169.254", "--requester", cause.requester, "--json"
    )
    assert never.exit_code == 1
    if cause.setting != "gateway.allowPrivateNetwork":
        stranger = commands.run("egress", "explain", LAN, "--requester", "plugin:stranger")
        assert stranger.exit_code == 1, "another requester got it, too"


def refusal(folder: Path, cause: Cause) -> tuple[str, str]:
    """The code and the message of `egress explain`."""
    found = json.loads(Commands(folder, cause).explain().stdout)
    return found["code"], found["message"]


@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_every_door_gives_the_reason_that_explain_gives(folder: Path, name: str) -> None:
    """Streamed or not, in each dialect: a status of ours and the whole message, before anything is sent."""
    cause = OF_PROVIDERS[name]
    code, message = await asyncio.to_thread(refusal, folder, cause)
    model = f"{cause.requester.partition(':')[2]}/m"
    content = {"model": model, "input": "hi"}
    requests = {
        "/v1/chat/completions": question(model),
        "/v1/chat/completions?": question(model, stream=True),
        "/v1/messages": question(model, stream=True),
        "/v1/responses": json.dumps(content | {"stream": True}).encode(),
    }
    config = {key: value for key, value in cause.config().items() if key != "gateway"} | {
        "gateway": config_of({})["gateway"]
    }
    (folder / "gateway").mkdir()
    async with serving_gateway(folder / "gateway", config, dialer=Dialer(resolver)) as stand:
        for target, body in requests.items():
            response = await stand.ask(body, target=target.rstrip("?"))
            assert response.status == 403, (target, response.body)
            assert response.json()["error"]["message"] == message, target
            if target != "/v1/messages":
                assert response.json()["error"]["code"] == code
        rows = (await stand.role.recorder.find(LedgerQuery(requester=cause.requester))).rows
    assert [row.verdict for row in rows] == ["refused"] * len(requests)


LITERAL = ("a private address", "a provider with dots in its id", "localhost", "owl")
"""Those that need no DNS, so that commands know them without a request."""


@pytest.mark.parametrize("name", LITERAL)
@pytest.mark.parametrize("arguments", [("route", "explain", "MODEL"), ("models", "status"), ("doctor",)])
def test_every_command_gives_it_too(folder: Path, name: str, arguments: tuple[str, ...]) -> None:
    cause = OF_PROVIDERS[name]
    model = f"{cause.requester.partition(':')[2]}/m"
    defaults = {"agents": {"defaults": {"model": {"primary": model}}}}
    commands = Commands(folder, Cause(cause.requester, cause.url, "", cause.providers, cause.more | defaults))
    message = json.loads(commands.explain().stdout)["message"]
    shown = commands.run(*(model if one == "MODEL" else one for one in arguments))
    assert message in shown.output


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


async def test_agents_sockets_and_the_log_give_it_too(home: Home) -> None:
    cause = CAUSES["a private address"]
    config = cause.config()
    config["gateway"] |= {"port": 0, "http": {"endpoints": {"chatCompletions": {"enabled": True}}}}
    config["agents"] = {"defaults": {"model": {"primary": "lan/m"}}}
    home.write(json.dumps(config))
    assert home.gateway("start").returncode == 0
    message = json.loads(home.run("egress", "explain", LAN, "--json").stdout)["message"]
    assert home.ask("/v1/chat/completions", json.loads(question("openclaw")))[0] == 403
    agent = home.run("agent", "--message", "hi")
    assert agent.returncode != 0 and message in agent.stderr
    url = home.running().url
    assert url is not None
    async with connected(url, auth={"token": TOKEN}) as client:
        await client.call("chat.send", {"sessionKey": "main", "message": "hi", "idempotencyKey": "k1"})
        failed = await client.event("chat", state="error")
    assert message in json.dumps(failed)
    assert message in home.log.read_text()
    assert message in home.gateway("status").stdout
