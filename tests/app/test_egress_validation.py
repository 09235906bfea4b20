"""A policy that leaks is found, one that cannot be tried is no proof, and one that is tight passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clawgate.app import egress_validation
from clawgate.app.egress_validation import Check, canary, validate
from clawgate.errors import UpstreamUnreachable
from clawgate.providers.catalog import build_catalog
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.config_file import read_config
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.routing.gateway_server import config_of, own_config, provider


async def localhost(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1" if host == "localhost" else host]


async def checks(
    folder: Path, *, dialer: Dialer | None = None, more: dict[str, Any] | None = None, **providers: Any
) -> list[Check]:
    path = folder / "openclaw.json"
    config = config_of(providers)
    extra = more or {}
    config["gateway"] |= extra.pop("gateway", {})
    path.write_text(json.dumps(config | extra))
    path.chmod(0o600)
    file = read_config(path, {}, required=True)
    catalog = build_catalog(file.config, file.unset, file.environment)
    dialer = dialer or Dialer(localhost)
    return await validate(catalog, file, list(catalog.providers.values()), dialer)


async def test_a_tight_policy_passes_and_sends_no_provider_anything(tmp_path: Path) -> None:
    async with FakeUpstream(faults.json_response({})) as upstream:
        found = await checks(tmp_path, up=provider(upstream.url))
        assert upstream.requests == []
    assert [(one.requester, one.expects, one.ok) for one in found] == [
        ("provider:up", "reached", True),
        ("validate", "reached", True),
        ("unprivileged", "refused", True),
        ("tool:web_fetch", "refused", True),
        ("tool:image", "refused", True),
        ("provider:up", "refused", True),
    ]


async def test_the_canary_is_tried_in_each_spelling_and_never_dialled(tmp_path: Path) -> None:
    dialer = RecordingDialer(localhost)
    await checks(tmp_path, dialer=dialer)
    refused = {(one.requester, one.dialled) for one in dialer.ledger if one.requester != "validate"}
    assert refused == {("unprivileged", None), ("tool:web_fetch", None), ("tool:image", None)}
    assert len(dialer.ledger) == 1 + 3 * len(egress_validation._SPELLINGS)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"baseUrl": "http://10.0.0.9/v1"}, "models.providers.up.request.allowPrivateNetwork"),
        (
            {"baseUrl": "http://127.0.0.1:9/v1", "request": {"allowPrivateNetwork": True}},
            "connection refused",
        ),
        ({}, "its address is not set"),
    ],
)
async def test_a_provider_that_is_not_reached_fails_with_the_reason(
    tmp_path: Path, shape: dict[str, Any], message: str
) -> None:
    found = await checks(tmp_path, up={"api": "openai-completions", "apiKey": "k", **shape})
    assert not found[0].ok and message in found[0].message


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"gateway": {"allowPrivateNetwork": True}}, "gateway.allowPrivateNetwork"),
        (own_config({}, network={"allow": ["127.0.0.0/8"]}), "network.allow 127.0.0.0/8"),
        (own_config({}, network={"mode": "report"}), "only reported"),
    ],
)
async def test_rules_that_open_loopback_to_everyone_fail(
    tmp_path: Path, more: dict[str, Any], rule: str
) -> None:
    found = {one.requester: one for one in await checks(tmp_path, more=more)}
    for requester in ("unprivileged", "tool:web_fetch"):
        assert not found[requester].ok and rule in found[requester].message
        assert "it was reached" in found[requester].message


async def test_a_tool_that_the_operator_opened_is_named_and_strangers_are_tried_all_the_same(
    tmp_path: Path,
) -> None:
    more = {"tools": {"web": {"fetch": {"allowPrivateNetwork": True}}}}
    found = {one.requester: (one.expects, one.ok) for one in await checks(tmp_path, more=more)}
    assert found["tool:web_fetch"] == ("open by tools.web.fetch.allowPrivateNetwork", True)
    assert found["unprivileged"] == ("refused", True)


async def test_a_canary_that_cannot_be_reached_at_all_proves_nothing(tmp_path: Path) -> None:
    class Broken(Dialer):
        async def _connect(self, *arguments: Any) -> Any:
            raise UpstreamUnreachable("the network is down")

    found = await checks(tmp_path, dialer=Broken(localhost))
    assert [(one.requester, one.ok) for one in found] == [("validate", False)]
    assert "the network is down" in found[0].message


async def test_another_failure_than_a_refusal_does_not_count_as_shut(
    tmp_path: Path,
) -> None:
    """A dial that fails by chance has not shown that the policy would have refused it."""

    class Unlucky(Dialer):
        async def _connect(self, make: Any, endpoint: Any, *more: Any) -> Any:
            if endpoint.policy.requester != "validate":
                raise UpstreamUnreachable("out of luck")
            return await super()._connect(make, endpoint, *more)

    more = {"gateway": {"allowPrivateNetwork": True}}
    found = await checks(tmp_path, dialer=Unlucky(localhost), more=more)
    assert [one.ok for one in found] == [True, False, False, False]


async def test_each_canary_has_a_token_of_its_own() -> None:
    async with canary() as one, canary() as other:
        assert one.token != other.token and one.token not in repr(one)
