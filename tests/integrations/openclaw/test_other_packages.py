"""The packages `anthropic-claude-proxy` and `owl` in the real OpenClaw, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.bundled.anthropic_claude_proxy.host import command
from tests.e2e.terminal import terminal
from tests.e2e.waiting import poll
from tests.integrations.openclaw.host import HIDES_SECRETS, Gateway, Host, engines, kill, needs_openclaw
from tests.integrations.openclaw.remote import MODEL, REPLY, TOKEN, Remote, serve_remote

pytestmark = [
    needs_openclaw,
    pytest.mark.timeout(900),  # beside other tests OpenClaw takes a minute to start
]
CLAUDE = "anthropic-claude-proxy"


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with serve_remote() as found:
        yield found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, remote: Remote) -> Host:
    """OpenClaw with both, each set up by its wizard at a terminal; owl has the default model."""
    found = Host(tmp_path_factory.mktemp("host"))
    for package in (CLAUDE, "owl"):
        found.install(package)
    config = found.read()
    config["plugins"]["entries"][CLAUDE]["config"] = {"port": found.bridge_port, "command": command()}
    found.write(config)
    words = found.words("models", "auth", "login", "--provider", CLAUDE)
    with terminal(words, found.folder, found.environment, columns=200) as person:
        for prompt in ("Host of the proxy", "Port of the proxy", "Models", "Write this to"):
            person.answer(prompt, "\r")
        assert person.end() == 0, person.shown
    words = found.words("models", "auth", "login", "--provider", "owl", "--set-default")
    with terminal(words, found.folder, found.environment, columns=200) as person:
        person.answer("Base URL", f"{remote.url}/v1\r")
        person.answer("Dialect", "\r")
        person.answer("Credential", "\r")
        person.answer("Secret (", f"{TOKEN}\r")
        person.answer("Allow a loopback or private address", "\r")
        person.answer("Models", f"{MODEL}\r")
        person.answer("Write this to", "\r")
        assert person.end() == 0, person.shown
        assert (TOKEN in person.shown) is not HIDES_SECRETS
    return found


@pytest.fixture(scope="module")
def gateway(host: Host) -> Iterator[Gateway]:
    with host.gateway() as found:
        found.until(f"{CLAUDE}: running")
        found.until("ready, pid")
        yield found


def test_the_default_model_is_owls_and_the_alias_is_claudes(host: Host) -> None:
    defaults = host.read()["agents"]["defaults"]
    assert defaults["model"] == {"primary": f"owl/{MODEL}", "fallbacks": []}
    assert defaults["models"][f"{CLAUDE}/claude-opus-4-6"]["alias"] == "claude-max-proxy"


def test_a_completion_goes_to_the_server_with_its_credential(gateway: Gateway, remote: Remote) -> None:
    status, body = gateway.complete()
    assert status == 200 and REPLY in body
    assert remote.seen[-1]["authorization"] == f"Bearer {TOKEN}"
    document = json.loads(gateway.host.run("owl", "status", "--json"))
    assert (document["ok"], document["probe"]["state"]) == (True, "reachable")


def test_a_completion_goes_to_the_claude_proxy_that_the_engine_supervises(gateway: Gateway) -> None:
    status, body = gateway.complete(model=f"{CLAUDE}/claude-opus-4-6")
    assert status == 200 and "pong" in body
    document = json.loads(gateway.host.run(CLAUDE, "status", "--json"))
    assert document["ok"] is True and document["child"]["state"] == "ready"


def test_a_killed_supervisor_leaves_no_claude_proxy_and_is_started_again(gateway: Gateway) -> None:
    (before,) = engines(gateway.host.folder)
    kill(before)
    poll(lambda: engines(gateway.host.folder) not in ([], [before]), "another supervisor")
    poll(lambda: gateway.complete(model=f"{CLAUDE}/claude-opus-4-6")[0] == 200, "a Claude proxy")


def test_a_killed_gateway_leaves_neither(gateway: Gateway) -> None:
    """Last: it takes the gateway away."""
    gateway.kill()
    poll(lambda: engines(gateway.host.folder) == [], "the supervisor to end")
