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
    "a plugin": Cause("plugin:proxy-bridge", LAN, "gateway.allowPrivateNetwork"),
}  # fmt: skip
EVERYWHERE, METADATA = "http://0.0.0.0:8000", "http://169.254.169.254"
NEVER = {
    f"never: {url}": Cause("provider:odd", url, "models.providers.odd.baseUrl", {"odd": provider(url)})
    for url in (
        EVERYWHERE, "http://0:8000", "http://[::]:8000", "http://[::ffff:0.0.0.0]:8000", "http://0x0.0:8000",
        METADATA, "http://0xa9fea9fe", "http://[fd00:ec2::254]", "http://[::ffff:169.254.169.254]",
        "http://metadata.google.internal", "http://169.254.7.7", "http://[fe80::1]", "http://100.100.100.200",
    )
} | {
    "never: a provider without a key, at an API of another kind": Cause(
        "provider:openai", EVERYWHERE, "models.providers.openai.baseUrl",
        {"openai": {"baseUrl": EVERYWHERE, "api": "openai-responses", "models": []}},
    ),
    "never: with the switch of its provider": Cause(
        "provider:odd", EVERYWHERE, "models.providers.odd.baseUrl",
        {"odd": provider(EVERYWHERE, request={"allowPrivateNetwork": True})},
    ),
    "never: owl": Cause(
        "provider:owl", EVERYWHERE, "plugins.entries.owl.config.baseUrl",
        more={"plugins": {"entries": {"owl": {"config": {"baseUrl": f"{EVERYWHERE}/v1", "auth": "none"}}}}},
    ),
}  # fmt: skip
"""What no setting opens; ``setting`` is that of the address."""
OF_PROVIDERS = {
    name: cause for name, cause in (CAUSES | NEVER).items() if cause.requester.startswith("provider:")
}


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
        stranger = commands.run("egress", "explain", LAN, "--requester", "plugin:owl")
        assert stranger.exit_code == 1, "another requester got it, too"


@pytest.mark.parametrize("name", NEVER)
def test_the_command_of_an_address_that_is_never_dialed_sets_another_one(folder: Path, name: str) -> None:
    cause = NEVER[name]
    commands = Commands(folder, cause)
    found = json.loads(commands.explain().stdout)
    pasted = _COMMAND.search(found["message"])
    assert found["code"] == "private_network_blocked" and pasted is not None, found["message"]
    words = shlex.split(pasted[1])
    assert words[:3] == ["config", "set", cause.setting]
    if words[3] == "URL":
        words[3] = "http://127.0.0.1:8000/v1"
    assert words[3] == "http://127.0.0.1:8000/v1"
    assert commands.run(*words).exit_code == 0
    status = json.loads(commands.run("models", "status", "--json").stdout)["providers"]
    (now,) = (one for one in status if f"provider:{one['id']}" == cause.requester)
    assert now["baseUrl"] == words[3] and "never" not in (now["whyNotReady"] or "")


def test_an_address_from_a_variable_is_set_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWL_BASE_URL", f"{EVERYWHERE}/v1")
    monkeypatch.setenv("OWL_API_KEY", "k-canary-123456")
    message = json.loads(Commands(folder, Cause("provider:owl", EVERYWHERE, "")).explain().stdout)["message"]
    assert message.endswith("for a server on this machine use 127.0.0.1, in the variable OWL_BASE_URL")


def test_every_command_has_one_reason_for_a_proxy_that_is_never_dialed(folder: Path) -> None:
    proxied = provider(NAMED, request={"proxy": {"mode": "explicit-proxy", "url": "http://0.0.0.0:3128"}})
    cause = Cause("provider:odd", NAMED, "", {"odd": proxied})
    message = json.loads(Commands(folder, cause).explain().stdout)["message"]
    assert "clawgate config set models.providers.odd.request.proxy.url http://127.0.0.1:3128" in message


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


LITERAL = ("a private address", "a provider with dots in its id", "localhost", "owl", *NEVER)
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
