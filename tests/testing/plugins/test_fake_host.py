"""The host for tests: nothing is dialled, started or listened for, and everything is written down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clawgate.plugins.api import (
    BridgeSettings,
    ChildSpec,
    CommandContext,
    FetchFailed,
    FetchRequest,
    FetchResponse,
    ProbeResult,
    RelaySpec,
    ServiceContext,
    SetupContext,
)
from clawgate.testing.plugins.fake_host import FakeHost, FakeSetup


def test_it_is_every_context_of_the_interface(tmp_path: Path) -> None:
    """That the type checker takes it is the claim."""
    host = FakeHost(state_dir=tmp_path, environment={"A": "b"})
    service: ServiceContext = host
    command: CommandContext = host
    setup: SetupContext = FakeSetup(host)
    assert service.instance == command.instance and setup.environment == {"A": "b"}


def test_only_the_given_urls_respond(tmp_path: Path) -> None:
    host = FakeHost(state_dir=tmp_path, responses={"http://a": FetchResponse(status=200, body=b"{}")})
    assert asyncio.run(FakeSetup(host).fetch(FetchRequest(url="http://a"))).status == 200
    with pytest.raises(FetchFailed) as caught:
        asyncio.run(host.fetch(FetchRequest(url="http://b")))
    assert caught.value.cause == "unreachable" and [request.url for request in host.requests] == [
        "http://a",
        "http://b",
    ]


async def test_relays_and_children_are_recorded(tmp_path: Path) -> None:
    host = FakeHost(state_dir=tmp_path)

    async def probe() -> ProbeResult:
        return ProbeResult("ready")

    settings = BridgeSettings.model_validate(
        {"remote_url": "http://a.test", "proxy_token": "token-1234", "bridge_port": 0}
    )
    relay = await host.serve_relay(RelaySpec(name="r", settings=settings))
    assert relay.port and relay.host == "127.0.0.1" and relay.connections == 0
    await relay.stop()
    child = host.supervise(ChildSpec(name="c", argv=("c",), port=1), probe)
    assert child.unavailable() is not None and child.status().state == "stopped"
    await child.start()
    await child.restart()
    assert child.unavailable() is None and child.status().ok
    await child.stop()
    assert host.relays[0].stopped and not host.children[0].running and host.children[0].starts == 2


def test_what_a_command_prints_is_kept(tmp_path: Path) -> None:
    host = FakeHost(state_dir=tmp_path)
    host.out("a")
    host.err("b")
    assert (host.printed, host.printed_errors) == (["a"], ["b"])
