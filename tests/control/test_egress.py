"""What commands of this user ask about egress, by the key of the running gateway alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.processes.instance.health_client import KEY_HEADER
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import COMMAND_KEY, config_of, provider, question, serving_gateway

WITH_KEY = (KEY_HEADER, COMMAND_KEY)
SHUT = {"baseUrl": "http://10.0.0.9/v1", "api": "openai-completions", "apiKey": "k"}


async def test_a_connection_and_a_refusal_are_one_row_each(tmp_path: Path) -> None:
    async with FakeUpstream(faults.json_response({"id": "x"})) as upstream:
        config = config_of({"open": provider(upstream.url), "shut": SHUT})
        async with serving_gateway(tmp_path, config) as stand:
            assert (await stand.ask(question("open/m"))).status == 200
            assert (await stand.ask(question("shut/m"))).status == 403
            listed = (await stand.ask(None, WITH_KEY, target="/egress", token=None)).json()
            some = await stand.ask(None, WITH_KEY, target="/egress?requester=provider&refused=1", token=None)
            counts = stand.role.recorder.ledger.counts
    assert listed["source"] == "memory"
    refused, allowed = listed["rows"]
    assert (refused["requester"], refused["verdict"], refused["url"]) == (
        "provider:shut", "refused", "http://10.0.0.9/v1",
    )  # fmt: skip
    assert (allowed["requester"], allowed["verdict"], allowed["address"]) == (
        "provider:open", "allowed", "127.0.0.1",
    )  # fmt: skip
    assert allowed["rule"] == "models.providers.open.request.allowPrivateNetwork"
    assert some.json()["rows"] == [refused]
    assert counts == {("provider", "allowed", "loopback"): 1, ("provider", "refused", "private"): 1}


async def test_a_report_of_the_providers_is_no_refused_connection(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, config_of({"shut": SHUT})) as stand:
        assert (await stand.ask(None, WITH_KEY, target="/health", token=None)).json()["failing"] == ["shut"]
        rows = (await stand.ask(None, WITH_KEY, target="/egress", token=None)).json()["rows"]
    assert rows == []


@pytest.mark.parametrize("target", ["/egress", "/egress/explain?url=http://127.0.0.1"])
@pytest.mark.parametrize("key", [None, "wrong"])
async def test_without_the_key_there_is_nothing_whoever_it_is(
    tmp_path: Path, target: str, key: str | None
) -> None:
    fields = () if key is None else ((KEY_HEADER, key),)
    async with serving_gateway(tmp_path, config_of({})) as stand:
        response = await stand.ask(None, *fields, target=target)
    assert response.status == 404 and list(response.json()) == ["error"]


async def test_a_url_is_explained_by_the_config_in_use(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, config_of({"shut": SHUT})) as stand:
        target = "/egress/explain?url=http://10.0.0.9/&requester=provider:shut"
        found = (await stand.ask(None, WITH_KEY, target=target, token=None)).json()
    assert (found["verdict"], found["code"]) == ("refused", "private_network_blocked")
    assert "models.providers.shut.request.allowPrivateNetwork" in found["message"]


@pytest.mark.parametrize(
    "target",
    ["/egress?limit=many", "/egress?since=x", "/egress/explain", "/egress/explain?url=http://a@b/",
     "/egress/explain?url=http://a/&requester=nobody", "/egress/explain?url=http://a/&requester=provider:none"],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(tmp_path: Path, target: str) -> None:
    async with serving_gateway(tmp_path, config_of({})) as stand:
        response = await stand.ask(None, WITH_KEY, target=target, token=None)
    assert response.status == 400 and response.json()["error"]
