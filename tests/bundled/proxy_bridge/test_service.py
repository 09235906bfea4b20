"""The bridge listens as long as the gateway runs, says why where it cannot, and takes its port when that gets free."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
import uvloop

from clawgate.bundled.proxy_bridge.service import BridgeService, relay_spec
from clawgate.plugins.api import FetchRequest, PluginError, Service
from tests.bundled.proxy_bridge.host import INSTANCE, LOCAL_TOKEN, TOKEN, Host, bridge, remote
from tests.e2e.stand import until
from tests.ports import free_port


def test_the_relay_has_the_settings_of_the_config() -> None:
    settings = bridge(0, "https://x/v1", bridgeToken=LOCAL_TOKEN, maxBodyMb=32, exitOnStdinEof=True)
    spec = relay_spec(settings)
    assert (spec.header, spec.prefix) == ("X-Proxy-Token", "") and spec.settings is settings


def test_it_is_a_service_that_cannot_be_asked_before_it_started() -> None:
    service: object = BridgeService()
    assert isinstance(service, Service)
    assert service.unavailable() is not None and not service.status().ok and service.status().reason


def test_it_relays_with_the_token_from_its_start_to_its_end(tmp_path: Path) -> None:
    async def lives(url: str) -> None:
        host = Host(tmp_path, bridge(0, url))
        service = BridgeService()
        await service.start(host)
        assert service.unavailable() is None
        status = service.status()
        assert status.ok and status.state == "listening" and TOKEN not in repr(status)
        where = str(status.details["url"])
        answer = await host.fetch(FetchRequest(url=f"{where}/models", allow_private=True))
        assert answer.status == 200
        health = await host.fetch(FetchRequest(url=f"{where.removesuffix('/v1')}/health", allow_private=True))
        assert health.json()["instance"] == INSTANCE
        assert where == f"http://127.0.0.1:{status.details['port']}/v1"
        await service.stop()
        await service.stop()
        assert service.unavailable() is not None and service.status().state == "stopped"

    with remote() as server:
        uvloop.run(lives(server.url))
    assert server.asked[0][1]["x-proxy-token"] == TOKEN


async def test_a_port_that_a_stranger_holds_is_told_and_taken_when_it_is_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with remote((200, b"<html>")) as stranger:
        host = Host(tmp_path, bridge(stranger.port, "https://proxy.example.com"))
        service = BridgeService(retry_seconds=0.01)
        with caplog.at_level(logging.ERROR):
            await service.start(host)
        why = service.unavailable()
        assert why is not None and f"port {stranger.port}" in why.reason and "bridgePort" in why.reason
        assert "bridge of clawgate" not in why.reason
        assert service.status().state == "port_taken" and str(stranger.port) in caplog.text
        assert "in use" in service.status().reason and service.status().next_step
    await until(lambda: service.unavailable() is None, "the port was not taken")
    assert service.status().ok
    await service.stop()


async def test_another_bridge_on_the_port_is_told_by_what_it_is(tmp_path: Path) -> None:
    port = free_port()
    first, second = BridgeService(), BridgeService(retry_seconds=0.01)
    (tmp_path / "other").mkdir()
    config = bridge(port, "https://proxy.example.com")
    await first.start(Host(tmp_path / "other", config, instance="another"))
    await second.start(Host(tmp_path, config))
    why = second.unavailable()
    assert why is not None and "a bridge of clawgate" in why.reason and "clawgate bridge run" in why.reason
    await first.stop()
    await until(lambda: second.unavailable() is None, "the port was not taken")
    await second.stop()


async def test_who_waits_for_the_port_stops_at_once(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    with remote() as stranger:
        service = BridgeService(retry_seconds=0.01)
        await service.start(Host(tmp_path, bridge(stranger.port, "https://proxy.example.com")))
        assert asyncio.all_tasks() > before
        await service.stop()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"host": "0.0.0.0"}, "loopback"),
        ({"remoteUrl": "https://x", "caFile": "/nonexistent.pem"}, "caFile"),
        ({"host": "192.0.2.1"}, "loopback"),
        ({"host": "192.0.2.1", "bridgeToken": LOCAL_TOKEN}, "cannot listen"),
    ],
)
async def test_what_does_not_mend_itself_is_for_the_operator(
    tmp_path: Path, more: dict[str, str], told: str
) -> None:
    service = BridgeService()
    with pytest.raises(PluginError, match=told) as caught:
        await service.start(Host(tmp_path, bridge(0, "https://proxy.example.com", **more)))
    assert TOKEN not in str(caught.value)
    assert told in service.status().reason and service.unavailable() is not None
    await service.stop()


async def test_a_remote_that_is_the_bridge_itself_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(PluginError, match="this listener itself"):
        await BridgeService().start(Host(tmp_path, bridge(port, f"http://localhost:{port}/v1")))
