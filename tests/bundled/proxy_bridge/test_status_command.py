"""The exit status is 0 only if the gateway's own bridge listens and its remote takes the token; else it says why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from clawgate.bundled.proxy_bridge.service import BridgeService
from clawgate.bundled.proxy_bridge.status_command import status_command
from clawgate.plugins.api import CommandPlugin, PluginError
from tests.bundled.proxy_bridge.host import INSTANCE, LOCAL_TOKEN, TOKEN, Down, Host, bridge, remote
from tests.ports import free_port

COMMAND = status_command()


async def asked(host: Host) -> tuple[int, dict[str, Any]]:
    host.printed.clear()
    status = await COMMAND.run(host, ["status", "--json"])
    said = "\n".join(host.printed)
    assert TOKEN not in said and LOCAL_TOKEN not in said
    return status, json.loads(said)


def with_service(
    folder: Path, make: Callable[[], Any], while_it_runs: Callable[[Host], Any], instance: str | None = None
) -> Any:
    """What ``while_it_runs`` returns, beside a service with the config that ``make`` makes."""

    async def work() -> Any:
        config = make()
        service = BridgeService()
        host = Host(folder, config) if instance is None else Host(folder, config, instance=instance)
        await service.start(host)
        try:
            host.services = (service.status(),)
            return await while_it_runs(host)
        finally:
            await service.stop()

    return uvloop.run(work())


def test_all_is_well(tmp_path: Path) -> None:
    with remote() as server:
        port = free_port()
        status, found = with_service(tmp_path, lambda: bridge(port, server.url), asked)
    assert status == 0 and found["ok"] and found["nextStep"] == ""
    assert found["bridge"]["ours"] and found["bridge"]["url"] == f"http://127.0.0.1:{port}/v1"
    assert found["bridge"]["version"]
    there = found["remote"]
    assert there["reachable"] and there["authorized"] and there["latencyMs"] > 0
    assert there["models"] == ["gpt-4o", "gpt-4o-mini"]


@pytest.mark.parametrize("more", [{"bridgeToken": LOCAL_TOKEN}, {"bridgePort": 0}])
def test_a_bridge_that_says_little_is_known_by_what_the_gateway_noted(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    with remote() as server:
        status, found = with_service(tmp_path, lambda: bridge(free_port(), server.url, **more), asked)
    assert status == 0 and found["bridge"]["ours"]


def test_a_remote_that_only_the_bridge_can_reach_is_asked_through_it(tmp_path: Path) -> None:
    """``upstreamProxy`` goes nowhere here, so who says "unreachable" is the bridge, which uses it."""
    with remote() as server:

        def make(**more: Any) -> Any:
            proxy = f"http://127.0.0.1:{free_port()}"
            return bridge(free_port(), server.url, upstreamProxy=proxy, **more)

        status, found = with_service(tmp_path, make, asked)
        assert status == 1 and found["bridge"]["ours"] and found["remote"]["state"] == "unreachable"
        _, found = with_service(tmp_path, lambda: make(bridgeToken=LOCAL_TOKEN), asked)
        assert found["bridge"]["ours"] and found["remote"]["state"] == "unreachable"
        down = Down(tmp_path, make())
        status, found = asyncio.run(asked(down))
        assert status == 1 and found["remote"]["state"] == "unknown" and found["remote"]["reachable"] is None
    assert not server.asked


@pytest.mark.parametrize(
    ("path", "token", "state", "told"),
    [
        ("", "another-token-1234", "unauthorized", "PROXY_BRIDGE_TOKEN"),
        ("/api", TOKEN, "not_found", "path"),
    ],
)
def test_a_remote_that_would_not_answer_is_told_by_its_cause(
    tmp_path: Path, path: str, token: str, state: str, told: str
) -> None:
    with remote() as server:
        config = bridge(free_port(), f"{server.url}{path}", proxyToken=token)
        status, found = with_service(tmp_path, lambda: config, asked)
    assert status == 1 and found["bridge"]["ours"] and found["remote"]["state"] == state
    assert told in found["nextStep"]


def test_with_the_gateway_down_the_remote_is_asked_all_the_same(tmp_path: Path) -> None:
    with remote() as server:
        host = Down(tmp_path, bridge(free_port(), server.url))
        status, found = asyncio.run(asked(host))
        host.printed.clear()
        assert asyncio.run(COMMAND.run(host, [])) == 1
    assert status == 1 and not found["gateway"]["running"] and not found["bridge"]["listening"]
    assert found["remote"]["reachable"] and found["remote"]["authorized"]
    assert "gateway run" in found["nextStep"]
    text = "\n".join(host.printed)
    assert (
        "gateway:   not running" in text
        and "token:     accepted" in text
        and "2: gpt-4o, gpt-4o-mini" in text
    )


def test_a_bridge_of_another_process_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    async def look(other: Host) -> tuple[tuple[int, Any], tuple[int, Any]]:
        down = Down(tmp_path, other.config)
        return await asked(Host(tmp_path, other.config)), await asked(down)

    with remote() as server:
        up, down = with_service(
            tmp_path / "other", lambda: bridge(free_port(), server.url), look, instance="another"
        )
    for status, found in (up, down):
        assert status == 1 and found["bridge"]["listening"] and not found["bridge"]["ours"]
        assert "of another process" in found["bridge"]["reason"] and found["nextStep"]


def test_the_gateways_own_bridge_that_refuses_every_request_is_not_well(tmp_path: Path) -> None:
    """As one that OpenClaw started where a variable is missing that this command has."""
    health = {"ok": False, "status": "live", "version": "1.0", "role": "bridge", "instance": INSTANCE}
    with remote() as server, remote((503, health | {"message": "proxyToken: is not set"})) as refusing:
        host = Host(tmp_path, bridge(refusing.port, server.url))
        status, found = asyncio.run(asked(host))
        host.printed.clear()
        asyncio.run(COMMAND.run(host, ["status"]))
    assert status == 1 and found["bridge"]["ours"] and found["remote"]["reachable"]
    assert "proxyToken: is not set" in found["bridge"]["reason"] and "config" in found["nextStep"]
    assert "proxyToken: is not set" in "\n".join(host.printed)


def test_a_stranger_on_the_port_is_told_in_the_words_of_the_gateway(tmp_path: Path) -> None:
    with remote() as server, remote((200, b"<html>")) as stranger:
        status, found = with_service(tmp_path, lambda: bridge(stranger.port, server.url), asked)
    assert status == 1 and not found["bridge"]["listening"] and "in use" in found["bridge"]["reason"]
    assert "bridgePort" in found["nextStep"] and found["remote"]["reachable"]


def test_a_config_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    host = Host(tmp_path, None, problems=("proxyToken: is not set",))
    assert asyncio.run(COMMAND.run(host, ["status", "--json"])) == 1
    found = json.loads(host.printed[0])
    assert (found["ok"], found["problems"]) == (False, ["proxyToken: is not set"])
    assert "models auth login --provider proxy-bridge" in found["nextStep"]
    assert host.complained == ["proxyToken: is not set", f"next step: {found['nextStep']}"]


def test_other_words_are_a_mistake(tmp_path: Path) -> None:
    command: object = COMMAND
    assert isinstance(command, CommandPlugin)
    host = Host(tmp_path, None)
    assert asyncio.run(COMMAND.run(host, ["state"])) == 2 and "Usage" in host.complained[0]
    assert asyncio.run(COMMAND.run(host, ["--help"])) == 0 and "Usage" in host.printed[0]


def test_a_provider_that_leads_elsewhere_is_told(tmp_path: Path) -> None:
    """The bridge and its remote are well, and the gateway's requests would fail all the same."""
    block: dict[str, Any] = {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": "bridge"}

    async def asked_so(host: Host) -> tuple[int, dict[str, Any], str]:
        host.config_file = {"models": {"providers": {"proxy-bridge": block}}}
        status, found = await asked(host)
        host.printed.clear()
        await COMMAND.run(host, ["status"])
        return status, found, "\n".join(host.printed)

    with remote() as server:
        port = free_port()
        status, found, text = with_service(tmp_path, lambda: bridge(port, server.url), asked_so)
        assert status == 1 and not found["ok"] and found["bridge"]["ours"]
        assert "it leads to 127.0.0.1:1, but the bridge listens at" in found["provider"]["problem"]
        assert found["nextStep"] == f"baseUrl: set it to http://127.0.0.1:{port}/v1, or bridgePort to 1"
        assert "provider:  baseUrl: it leads to" in text and "would fail" in text
        block["baseUrl"] = f"http://127.0.0.1:{port}/v1"
        status, found, text = with_service(tmp_path, lambda: bridge(port, server.url), asked_so)
    assert status == 0 and found["provider"]["problem"] is None and "its baseUrl is the bridge's" in text


def test_a_bridge_without_a_provider_is_well_and_that_is_told(tmp_path: Path) -> None:
    async def shown(host: Host) -> tuple[int, str]:
        status = await COMMAND.run(host, ["status"])
        return status, "\n".join(host.printed)

    with remote() as server:
        port = free_port()
        status, text = with_service(tmp_path, lambda: bridge(port, server.url), shown)
    assert status == 0 and "not configured, so the gateway has no models of it" in text


def test_what_does_not_mend_itself_is_for_the_operator(tmp_path: Path) -> None:
    """The plugin is on, so that is no question any more."""

    async def fails() -> tuple[int, dict[str, Any]]:
        port = free_port()
        host = Host(tmp_path, bridge(port, f"http://127.0.0.1:{port}"))
        service = BridgeService()
        with pytest.raises(PluginError):
            await service.start(host)
        host.services = (service.status(),)
        return await asked(host)

    status, found = uvloop.run(fails())
    assert status == 1 and "it is this listener itself" in found["bridge"]["reason"]
    assert found["nextStep"].startswith('fix that in plugins.entries."proxy-bridge".config')
