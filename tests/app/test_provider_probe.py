"""A probe asks each provider once, by the way that requests take, with that provider's own credential."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from clawgate.app.provider_probe import ProviderProbeResult, probe, probe_all
from clawgate.providers.credential import Bearer, HeaderToken
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.testing.http import faults
from clawgate.testing.http.upstream import FakeUpstream
from clawgate.wire.http.url import parse_url

KEY = "canary-probe-key"
OWL = Provider(
    id="owl", api="openai-completions", origin=None, path="/v1", credential=Bearer(KEY), allow_private=True,
    allow_private_setting="models.providers.owl.request.allowPrivateNetwork", headers=(("X-Team", "a1"),),
)  # fmt: skip


def asked(provider: Provider, *answers: Any) -> tuple[ProviderProbeResult, list[Any]]:
    async def work() -> tuple[ProviderProbeResult, list[Any]]:
        async with FakeUpstream(*answers) as upstream:
            placed = dataclasses.replace(provider, origin=parse_url(upstream.url)[0])
            return await probe(placed, Dialer()), upstream.requests

    return asyncio.run(work())


def test_it_asks_for_the_models_with_the_providers_credential() -> None:
    seen, (request,) = asked(OWL, faults.json_answer({"data": []}))
    headers = {name.lower(): value for name, value in request.headers}
    assert (request.method, request.target) == ("GET", "/v1/models")
    assert headers["authorization"] == f"Bearer {KEY}" and headers["x-team"] == "a1"
    assert seen.state == "reachable" and seen.message == "" and seen.latency_ms is not None
    assert seen.text == f"reachable ({seen.latency_ms:g} ms)"


def test_anthropics_api_is_told_its_version_once() -> None:
    claude = dataclasses.replace(
        OWL, api="anthropic-messages", credential=HeaderToken("x-api-key", KEY), headers=()
    )
    own = dataclasses.replace(claude, headers=(("Anthropic-Version", "2099-01-01"),))
    for provider, version in ((claude, "2023-06-01"), (own, "2099-01-01")):
        _, (request,) = asked(provider, faults.json_answer({"data": []}))
        assert [value for name, value in request.headers if name.lower() == "anthropic-version"] == [version]


@pytest.mark.parametrize(("status", "state"), [(401, "unauthorized"), (404, "not_found"), (500, "failing")])
def test_an_answer_that_is_no_success_is_told_apart(status: int, state: str) -> None:
    seen, _ = asked(OWL, faults.error_answer(status))
    assert seen.state == state and seen.message and KEY not in seen.message


def test_an_address_that_may_not_be_dialled_is_not_dialled() -> None:
    seen, requests = asked(dataclasses.replace(OWL, allow_private=False), faults.json_answer([]))
    assert seen.state == "blocked" and requests == []


def test_nobody_there_is_unreachable() -> None:
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
def test_what_cannot_be_set_up_is_not_ready(change: Callable[[], Provider]) -> None:
    assert asyncio.run(probe(change(), Dialer())).state == "not ready"


def test_only_what_is_ready_is_asked() -> None:
    unready = dataclasses.replace(OWL, id="lan", problem="its key is not set")
    assert set(probe_all([OWL, unready])) == {"owl"}
    assert probe_all([unready]) == {}
