"""A probe sends each provider one request, like any other, with that provider's own credential."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from clawgate.app.provider_probe import ProviderProbeResult, dial_local, probe, probe_all
from clawgate.providers.credential import HeaderToken, bearer
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.wire.http.url import parse_url
from tests.peers import faults
from tests.peers.upstream import FakeUpstream

KEY = "canary-probe-key"
OWL = Provider(
    id="owl", api="openai-completions", origin=None, path="/v1", credential=bearer(KEY), allow_private=True,
    allow_private_setting="models.providers.owl.request.allowPrivateNetwork", headers=(("X-Team", "a1"),),
)  # fmt: skip


def probed(provider: Provider, *answers: Any) -> tuple[ProviderProbeResult, list[Any]]:
    async def work() -> tuple[ProviderProbeResult, list[Any]]:
        async with FakeUpstream(*answers) as upstream:
            placed = dataclasses.replace(provider, origin=parse_url(upstream.url)[0])
            return await probe(placed, Dialer()), upstream.requests

    return asyncio.run(work())


def test_the_probe_requests_the_models_with_the_providers_credential() -> None:
    result, (request,) = probed(OWL, faults.json_response({"data": []}))
    headers = {name.lower(): value for name, value in request.headers}
    assert (request.method, request.target) == ("GET", "/v1/models")
    assert headers["authorization"] == f"Bearer {KEY}" and headers["x-team"] == "a1"
    assert result.state == "reachable" and result.message == "" and result.latency_ms is not None
    assert result.text == f"reachable ({result.latency_ms:g} ms)"


def test_a_probe_of_anthropic_has_one_version_header() -> None:
    claude = dataclasses.replace(
        OWL, api="anthropic-messages", credential=HeaderToken("x-api-key", KEY), headers=()
    )
    own = dataclasses.replace(claude, headers=(("Anthropic-Version", "2099-01-01"),))
    for provider, version in ((claude, "2023-06-01"), (own, "2099-01-01")):
        _, (request,) = probed(provider, faults.json_response({"data": []}))
        assert [value for name, value in request.headers if name.lower() == "anthropic-version"] == [version]


@pytest.mark.parametrize(("status", "state"), [(401, "unauthorized"), (404, "not_found"), (500, "failing")])
def test_each_failure_has_its_state(status: int, state: str) -> None:
    result, _ = probed(OWL, faults.error_response(status))
    assert result.state == state and result.message and KEY not in result.message


def test_a_forbidden_address_is_not_dialled() -> None:
    result, requests = probed(dataclasses.replace(OWL, allow_private=False), faults.json_response([]))
    assert result.state == "blocked" and requests == []


def test_a_closed_port_is_unreachable() -> None:
    async def work() -> ProviderProbeResult:
        async with FakeUpstream() as upstream:
            origin = parse_url(upstream.url)[0]
        return await probe(dataclasses.replace(OWL, origin=origin), Dialer())

    assert asyncio.run(work()).state == "unreachable"


@pytest.mark.parametrize(
    "change",
    [
        lambda: dataclasses.replace(OWL),
        lambda: dataclasses.replace(OWL, origin=parse_url("https://owl.test")[0], ca="/no/such/file.pem"),
    ],
    ids=["no address", "no such file"],
)
def test_unusable_settings_are_not_ready(change: Callable[[], Provider]) -> None:
    assert asyncio.run(probe(change(), Dialer())).state == "not ready"


def test_only_ready_providers_are_probed() -> None:
    unready = dataclasses.replace(OWL, id="lan", problem="its key is not set")
    assert set(probe_all([OWL, unready])) == {"owl"}
    assert probe_all([unready]) == {}


def test_only_what_is_on_this_machine_is_dialed_and_what_cannot_be_used_is_left_out() -> None:
    down = dataclasses.replace(OWL, origin=parse_url("http://127.0.0.1:9")[0])
    far = dataclasses.replace(down, id="far", origin=parse_url("http://far.invalid:9")[0])
    unusable = dataclasses.replace(down, id="unusable", origin=None)
    found = dial_local([down, far, unusable])
    assert list(found) == [down.id] and "connection refused" in found[down.id].message
