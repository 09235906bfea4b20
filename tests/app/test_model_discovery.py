"""A provider's models are fetched once, kept, and refreshed in the background; a failure takes nothing away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.app import model_discovery
from clawgate.app.model_discovery import FRESH_SECONDS, RETRY_SECONDS, ModelDiscovery, is_discoverable
from clawgate.errors import ProviderNotConfigured
from clawgate.providers.provider import Model, Provider
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream, SilentListener
from tests.routing.gateway_server import ANTHROPIC, KEY, GatewayStand, config_of, provider, serving_gateway


def listing(*ids: str) -> tuple[Any, ...]:
    return faults.json_response({"object": "list", "data": [{"id": one, "object": "model"} for one in ids]})


def provider_in(stand: GatewayStand, name: str = "oa") -> Provider:
    return stand.role.router.catalog.providers[name]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def discovery_of(
    stand: GatewayStand,
    clock: Callable[[], float],
    is_available: Callable[[str], bool] = lambda provider: True,
) -> ModelDiscovery:
    return ModelDiscovery(lambda one: stand.role.router.connect(one).upstream, is_available, clock)


async def test_a_provider_is_contacted_once_with_its_credential(tmp_path: Path) -> None:
    async with (
        FakeUpstream(listing("m", "n"), listing("other")) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        discovery = discovery_of(stand, Clock())
        one = provider_in(stand)
        assert await asyncio.gather(*(discovery.models_of(one) for _ in range(5))) == [("m", "n")] * 5
        assert await discovery.models_of(one) == ("m", "n")
        assert [request.target for request in upstream.requests] == ["/v1/models"]
        assert f"Bearer {KEY}".encode() in upstream.requests[0].raw_head


async def test_anthropic_s_whole_list_is_requested_in_its_version(tmp_path: Path) -> None:
    async with (
        FakeUpstream(listing("claude")) as upstream,
        serving_gateway(tmp_path, config_of({"an": provider(upstream.url, ANTHROPIC)})) as stand,
    ):
        assert await discovery_of(stand, Clock()).models_of(provider_in(stand, "an")) == ("claude",)
        request = upstream.requests[0]
        assert request.target == "/v1/models?limit=1000"
        assert request.raw_head.lower().count(b"anthropic-version: 2023-06-01") == 1
        assert f"x-api-key: {KEY}".encode() in request.raw_head


async def test_an_old_list_is_used_while_it_is_refreshed(tmp_path: Path) -> None:
    async with (
        FakeUpstream(listing("old"), listing("new")) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        clock = Clock()
        discovery = discovery_of(stand, clock)
        one = provider_in(stand)
        assert await discovery.models_of(one) == ("old",)
        clock.now = FRESH_SECONDS - 1
        assert await discovery.models_of(one) == ("old",) and len(upstream.requests) == 1
        clock.now = FRESH_SECONDS
        assert await discovery.models_of(one) == ("old",)
        await upstream.saw_request(1)
        task = discovery._known["oa"].task
        if task is not None:
            await asyncio.wait([task])
        assert await discovery.models_of(one) == ("new",) and len(upstream.requests) == 2


async def test_a_failure_leaves_what_is_known_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Tried again after a while, and logged again only after it has worked in between."""
    failing = faults.error_response(500)
    scripts = [failing, failing, listing("m"), failing, listing("n")]
    async with (
        FakeUpstream(*scripts) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        clock = Clock()
        discovery = discovery_of(stand, clock)
        one = provider_in(stand)
        caplog.set_level(logging.WARNING)

        async def after(seconds: float, requests: int) -> tuple[str, ...]:
            clock.now += seconds
            found = await discovery.models_of(one)
            await until(lambda: discovery._known["oa"].task is None, lambda: "the fetch")
            assert len(upstream.requests) == requests
            return found

        assert await after(0, 1) == () and await after(RETRY_SECONDS - 1, 1) == ()
        assert await after(1, 2) == () and await after(RETRY_SECONDS, 3) == ("m",)
        assert await after(FRESH_SECONDS, 4) == ("m",) and await after(RETRY_SECONDS, 5) == ("m",)
        assert await discovery.models_of(one) == ("n",)
        lines = [
            record.getMessage() for record in caplog.records if "cannot be listed" in record.getMessage()
        ]
        assert len(lines) == 2 and "'oa'" in lines[0] and "status 500" in lines[0]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (faults.json_response({"models": []}), "does not respond with a list of models"),
        (faults.json_response({}, status=401), "status 401"),
        (faults.json_response({}, status=302), "status 302"),
        (faults.garbage_head(), ""),
    ],
)
async def test_another_response_is_a_failure(
    script: Any, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with (
        FakeUpstream(script) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        assert await discovery_of(stand, Clock()).models_of(provider_in(stand)) == ()
        assert reason in caplog.text and "cannot be listed" in caplog.text


async def test_a_silent_provider_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_discovery, "RESPONSE_SECONDS", 0.05)
    with SilentListener() as silent:
        async with serving_gateway(tmp_path, config_of({"oa": provider(silent.url)})) as stand:
            assert await discovery_of(stand, Clock()).models_of(provider_in(stand)) == ()


async def test_a_changed_provider_is_contacted_anew(tmp_path: Path) -> None:
    async with (
        FakeUpstream(listing("m"), listing("n")) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        discovery = discovery_of(stand, Clock())
        assert await discovery.models_of(provider_in(stand)) == ("m",)
        stand.rewrite(config_of({"oa": provider(upstream.url, name="-new")}))
        assert await discovery.models_of(provider_in(stand)) == ("n",)
        assert f"{KEY}-new".encode() in upstream.requests[1].raw_head


async def test_an_unavailable_provider_is_not_contacted(tmp_path: Path) -> None:
    """Nor one that is not ready, that is not to be contacted, or whose models the config lists."""
    async with (
        FakeUpstream(listing("m")) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        one = provider_in(stand)
        assert await discovery_of(stand, Clock(), lambda provider: False).models_of(one) == ()
        for other in (
            replace(one, problem="no key"),
            replace(one, discovers_models=False),
            replace(one, models=(Model("m", "m"),)),
        ):
            assert not is_discoverable(other)
            assert await discovery_of(stand, Clock()).models_of(other) == ()
        assert upstream.requests == []


async def test_an_id_with_the_credential_in_it_is_left_out(tmp_path: Path) -> None:
    async with (
        FakeUpstream(listing("m", f"x-{KEY}-y")) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        assert await discovery_of(stand, Clock()).models_of(provider_in(stand)) == ("m",)


async def test_a_provider_that_cannot_be_connected_has_no_models() -> None:
    def connect(one: Provider) -> Any:
        raise ProviderNotConfigured("the provider 'x' is not configured")

    one = Provider(id="x", api="openai-completions", origin=None)
    assert await ModelDiscovery(connect, lambda provider: True, Clock()).models_of(one) == ()


async def test_a_fetch_ends_with_its_owner(tmp_path: Path) -> None:
    with SilentListener() as silent:
        async with serving_gateway(tmp_path, config_of({"oa": provider(silent.url)})) as stand:
            discovery = discovery_of(stand, Clock())
            owner = asyncio.get_running_loop().create_task(discovery.run())
            waiting = asyncio.get_running_loop().create_task(discovery.models_of(provider_in(stand)))
            await until(lambda: "oa" in discovery._known, lambda: "the fetch")
            owner.cancel()
            assert await waiting == ()
            assert discovery._known["oa"].task is None
