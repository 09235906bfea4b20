"""The package `proxy-bridge` in the real OpenClaw, from its installation to its removal."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stand import PATIENCE
from tests.e2e.terminal import terminal
from tests.e2e.waiting import poll
from tests.integrations.openclaw.host import (
    HIDES_SECRETS,
    START_SECONDS,
    Gateway,
    Host,
    engines,
    kill,
    longest_cold_start,
    needs_openclaw,
    started_at_of,
)
from tests.integrations.openclaw.remote import MODEL, REPLY, TOKEN, Remote, serve_remote

pytestmark = [
    needs_openclaw,
    pytest.mark.timeout(900),  # beside other tests OpenClaw takes a minute to start
]
KILLS = int(os.environ.get("CLAWGATE_TEST_HOST_KILLS", "3"))
"""Each takes the start of a gateway, 5 s and more; by hand 20."""


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with serve_remote() as found:
        yield found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, remote: Remote) -> Host:
    """OpenClaw with the package, set up by its wizard at a terminal."""
    found = Host(tmp_path_factory.mktemp("host"))
    found.install("proxy-bridge")
    config = found.read()
    config.setdefault("models", {})["providers"] = {
        "proxy-bridge": {"timeoutSeconds": 77, "baseUrl": "http://127.0.0.1:1/v1", "models": []}
    }
    config["plugins"]["entries"]["proxy-bridge"]["config"] = {
        "bridgePort": found.bridge_port,
        "verbose": True,
    }
    found.write(config)
    words = found.words("models", "auth", "login", "--provider", "proxy-bridge", "--set-default")
    with terminal(words, found.folder, found.environment, columns=200) as person:
        person.answer("URL of the remote proxy", f"{remote.url}\r")
        person.answer("Proxy token", f"{TOKEN}\r")
        person.answer("Models", f"{MODEL}\r")
        person.answer("Port of the local bridge", "\r")
        person.answer("Write this to", "\r")
        assert person.end() == 0, person.shown
        assert (TOKEN in person.shown) is not HIDES_SECRETS
        assert "it responds and accepts the token" in person.shown
    return found


@pytest.fixture(scope="module")
def gateway(host: Host) -> Iterator[Gateway]:
    with host.gateway() as found:
        found.until("proxy-bridge: listening on")
        yield found


def test_the_wizard_keeps_what_was_configured(host: Host) -> None:
    config = host.read()
    entry = config["plugins"]["entries"]["proxy-bridge"]["config"]
    block = config["models"]["providers"]["proxy-bridge"]
    assert (entry["verbose"], entry["bridgePort"], block["timeoutSeconds"]) == (True, host.bridge_port, 77)
    assert config["agents"]["defaults"]["model"] == {"primary": f"proxy-bridge/{MODEL}", "fallbacks": []}
    assert "lastTouchedVersion" in config["meta"]


def test_a_completion_and_a_turn_go_through_the_bridge(gateway: Gateway, remote: Remote) -> None:
    remote.seen.clear()
    status, body = gateway.complete()
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, REPLY)
    status, body = gateway.complete(stream=True)
    assert status == 200 and '"content":"lo from"' in body and body.rstrip().endswith("data: [DONE]")
    assert REPLY in gateway.host.run("agent", "--message", "hi")
    assert len(remote.seen) == 3
    for headers in remote.seen:
        assert headers["x-proxy-token"] == TOKEN and "authorization" not in headers


def test_status_shows_the_bridge_that_the_gateway_runs(gateway: Gateway) -> None:
    document = json.loads(gateway.host.run("proxy-bridge", "status", "--json"))
    assert (document["ok"], document["bridge"]["ours"], document["remote"]["authorized"]) == (True,) * 3


def test_what_the_operator_must_fix_is_shown_at_once(gateway: Gateway, remote: Remote) -> None:
    """And the provider serves again as soon as it is fixed: neither retried for a minute nor shut for one."""
    for status, quote, words in (
        (401, "Incorrect API key provided: 401 unauthorized", "rejects the credential"),
        (402, "insufficient credits: payment required", "wants to be paid"),
        (403, "forbidden: the key expired", "does not serve this"),
        (404, "The model `x` does not exist", "has no such model"),
        (400, "API key expired", "responded"),
        (422, "out of order", "out of order"),
    ):
        remote.status, remote.words, before = status, quote, len(remote.seen)
        found, body = gateway.complete()
        assert found in (400, 422) and words in body and len(remote.seen) == before + 1, (status, found, body)
        remote.status = 200
        assert gateway.complete()[0] == 200, (status, quote)


def test_invalid_settings_are_shown_at_once_until_they_are_fixed(gateway: Gateway) -> None:
    """Neither retried for 80 s nor shut: after the change that fixes them the provider serves."""
    host, config = gateway.host, gateway.host.read()
    settings = config["plugins"]["entries"]["proxy-bridge"]["config"]
    remote_url = settings.pop("remoteUrl")
    host.write(config)
    gateway.until("every request fails until this is fixed")
    started_at = time.monotonic()
    status, body = gateway.complete()
    assert (status, "remoteUrl: is not set" in body) == (400, True), body
    assert time.monotonic() - started_at < PATIENCE
    settings["remoteUrl"] = remote_url
    before = gateway.log.read_text().count("proxy-bridge: listening on")
    written = 0

    def runs() -> bool:
        """Whether it runs again. OpenClaw applies no change of a plugin while a run of it ends: then once more."""
        nonlocal written
        log = gateway.log.read_text()
        if log.count("config reload failed") >= written:
            host.write(config)
            written += 1
        return log.count("proxy-bridge: listening on") > before

    poll(runs, "the bridge to run", within=START_SECONDS)
    assert gateway.complete()[0] == 200


def test_a_killed_bridge_is_started_again_within_the_time_of_a_cold_start(gateway: Gateway) -> None:
    (before,) = engines(gateway.host.folder)
    started_at = time.monotonic()
    kill(before)
    poll(lambda: engines(gateway.host.folder) not in ([], [before]), "another bridge")
    status, body = gateway.complete()
    assert (status, REPLY in body) == (200, True)
    assert time.monotonic() - started_at < PATIENCE


def test_disabled_the_bridge_ends_and_enabled_it_runs_again(gateway: Gateway) -> None:
    host = gateway.host
    host.run("plugins", "disable", "proxy-bridge")
    poll(lambda: engines(host.folder) == [], "the bridge to end")
    host.run("plugins", "enable", "proxy-bridge")
    poll(lambda: len(engines(host.folder)) == 1, "the bridge to run")


def test_a_killed_gateway_leaves_no_bridge_and_another_serves(
    host: Host, gateway: Gateway, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Last with the gateway of this module, which it takes away."""
    gateway.kill()
    poll(lambda: engines(host.folder) == [], "the bridge to end")
    times = []
    for _ in range(KILLS):
        started_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        with host.gateway("proxy-bridge: listening on") as another:
            (engine,) = engines(host.folder)
            status = another.complete_directly()
            now = time.clock_gettime(time.CLOCK_BOOTTIME)
            times.append((now - started_at_of(engine), now - started_at))
            assert status == 200
            assert another.complete()[0] == 200
            another.kill()
        poll(lambda: engines(host.folder) == [], "the bridge to end")
    shown = ", ".join(f"{engine:.2f} of {whole:.1f} s" for engine, whole in times)
    record_testsuite_property("engine's start to first answer, of the host's", shown)
    assert min(engine for engine, _ in times) <= longest_cold_start(), shown


def test_uninstalled_the_host_starts_without_it(host: Host) -> None:
    host.run("plugins", "uninstall", "proxy-bridge", "--force")
    assert "Config valid" in host.run("config", "validate")
    assert not (host.state / "extensions" / "proxy-bridge").exists()
    with host.gateway() as gateway:
        assert gateway.process.poll() is None
    assert engines(host.folder) == []


def test_without_python_the_wizard_and_the_status_say_what_to_install(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.install("proxy-bridge")
    node = tmp_path / "bin"
    node.mkdir()
    host.environment["PATH"] = str(node)
    found = next(folder for folder in os.environ["PATH"].split(":") if (Path(folder) / "node").exists())
    (node / "node").symlink_to(Path(found) / "node")
    shown = host.run("proxy-bridge", "status", status=1)
    assert "Python" in shown and "install" in shown and "CLAWGATE_PYTHON" in shown
