"""The operator's rules about networks: no spelling and no embedding of a host gets around one that denies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from clawgate.errors import EgressDenied
from clawgate.policy.egress.policy import NO_RULES, EgressPolicy, NetworkRules
from clawgate.policy.egress.rules import FakeIp, Rule, parse_fake_range
from clawgate.settings.openclaw.web_tools import tool_policy
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.http.url import parse_url
from tests.contract.small_internet import (
    INSIDE,
    METADATA,
    OTHER,
    PUBLIC,
    SmallInternet,
    redirect,
    serving,
)
from tests.contract.test_egress_urls import ONE_READING, PRIVATE, by_name

LOCAL = {"localhost": [["127.0.0.1"]], "x.localhost": [["::1"]], "93-184-216-34.example": [[PUBLIC]]}


def rules(*, allow: Sequence[str] = (), deny: Sequence[str] = (), **more: Any) -> EgressPolicy:
    """A tool without a switch of its own."""
    network = NetworkRules(allow=tuple(map(Rule.parse, allow)), deny=tuple(map(Rule.parse, deny)), **more)
    return EgressPolicy(requester="tool:web_fetch", network=network)


async def connected(url: str, policy: EgressPolicy, answers: dict[str, Any] = LOCAL) -> list[tuple[str, int]]:
    """What a fetch of the URL connects to; nothing where it is refused."""
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, answers)
        try:
            await internet.fetch(url, policy)
        except EgressDenied:
            assert internet.connects == [] and upstream.requests == []
        return internet.connects


@by_name(PRIVATE)
async def test_a_denied_range_stays_shut_in_every_spelling_whatever_else_is_open(url: str) -> None:
    denied = rules(
        deny=["10.0.0.0/8", "127.0.0.0/8", "100.64.0.0/10", "::1/128", "fc00::/7"],
        allow=["10.0.0.5", "0.0.0.0/0", "localhost", "*.localhost", "inside.example"],
        private=True,
    )
    assert await connected(url, denied) == []
    assert await connected(url, replace(denied, private=True, allowed_hosts=("inside.example",))) == []


@by_name(ONE_READING)
async def test_a_public_address_is_denied_in_every_spelling(url: str) -> None:
    assert await connected(url, rules(deny=["93.184.216.0/24"], private=True)) == []
    assert await connected(url, rules(deny=[f"{PUBLIC}:80"])) == []
    assert len(await connected(url, rules(deny=[f"{PUBLIC}:81", OTHER]))) == 1


@by_name({name: url for name, url in PRIVATE.items() if "unique" not in name and "shared" not in name})
async def test_an_allowed_range_opens_what_is_in_it_in_every_spelling_and_nothing_else(url: str) -> None:
    assert len(await connected(url, rules(allow=["10.0.0.0/8", "127.0.0.0/8", "::1"]))) == 1
    assert await connected(url, rules(allow=["10.0.0.6", "127.0.0.2", "192.168.0.0/16", "::2"])) == []


@pytest.mark.parametrize(
    "url", ["http://inside.example/", "http://INSIDE.EXAMPLE./", "http://inside.example:80/"]
)
@pytest.mark.parametrize(
    "host", ["inside.example", "Inside.Example", "inside.example.", "*.example", "inside.example:80"]
)
async def test_a_denied_host_is_denied_in_every_spelling(host: str, url: str) -> None:
    assert await connected(url, rules(deny=[host], private=True)) == []
    assert await connected(
        url, rules(deny=["example", "*.inside.example", "inside.example:81"], private=True)
    )


@pytest.mark.parametrize("allowed", ["inside.example", "*.example", "inside.example:80", "10.0.0.0/8"])
async def test_what_is_allowed_by_name_is_allowed_for_that_name(allowed: str) -> None:
    assert await connected("http://inside.example/", rules(allow=[allowed])) == [(INSIDE, 80)]
    for url in ("http://inside.example.evil.test/", "http://evilinside.example:81/", "http://192.168.0.1/"):
        answers = {url.split("/")[2].partition(":")[0]: [["192.168.0.1"]]}
        expected = [("192.168.0.1", 81)] if allowed == "*.example" and "81" in url else []
        assert await connected(url, rules(allow=[allowed]), answers) == expected


@pytest.mark.parametrize(
    "allowed", ["169.254.169.254", "169.254.0.0/16", "metadata.example", "0.0.0.0/0", "::/0", "*.internal"]
)
async def test_no_rule_opens_metadata(allowed: str) -> None:
    for url in (f"http://{METADATA}/", "http://metadata.example/", "http://metadata.google.internal/"):
        for report_only in (False, True):
            policy = replace(rules(allow=[allowed], private=True, report_only=report_only), private=True)
            assert await connected(url, policy) == []


async def test_report_only_lets_private_addresses_through_and_nothing_that_is_never_dialled() -> None:
    policy = rules(report_only=True, deny=[OTHER])
    assert await connected("http://10.0.0.5/", policy) == [(INSIDE, 80)]
    assert await connected("http://other.example/", policy) == [(OTHER, 80)]
    for url in ("http://0.0.0.0/", "http://224.0.0.1/", "http://[fe80::1]/", "http://[fd00:ec2::254]/"):
        assert await connected(url, policy) == []


FAKE = FakeIp(hosts=("models.example",))


@pytest.mark.parametrize("address", ["198.18.0.1", "198.19.255.254"])
async def test_a_fake_address_is_for_names_that_are_listed_or_a_providers(address: str) -> None:
    listed = rules(fake_ip=FAKE)
    own = replace(listed, origin=parse_url("http://own.example")[0])
    names = {name: [[address]] for name in ("models.example", "own.example", "other-one.example")}
    assert await connected("http://models.example/", listed, names) == [(address, 80)]
    assert await connected("http://own.example/", own, names) == [(address, 80)]
    for policy, url in (
        (listed, "http://other-one.example/"),
        (listed, f"http://{address}/"),
        (own, "http://own.example:81/"),
        (replace(listed, private=True), "http://other-one.example/"),
        (rules(private=True), "http://models.example/"),
        (rules(fake_ip=FakeIp(hosts=(address,))), f"http://{address}/"),
    ):
        assert await connected(url, policy, names) == []


@pytest.mark.parametrize(
    "answers", [["198.18.0.1", METADATA], ["198.18.0.1", "127.0.0.1"], ["198.20.0.1", "10.0.0.1"]]
)
async def test_a_fake_address_opens_no_other_one(answers: list[str]) -> None:
    assert await connected("http://models.example/", rules(fake_ip=FAKE), {"models.example": [answers]}) == []


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0/0",
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "8.0.0.0/8",
        "::/0",
        "::1/128",
        "fe80::/10",
        "::/8",
    ],
)
def test_no_range_of_placeholders_holds_this_machine_or_its_links_or_everybody(text: str) -> None:
    with pytest.raises(ValueError, match="placeholders"):
        parse_fake_range(text)


def policy_of(fetch: dict[str, Any]) -> EgressPolicy:
    """The policy of web_fetch, of the block tools.web.fetch."""
    config = OpenClawConfig.model_validate({"tools": {"web": {"fetch": fetch}}})
    return tool_policy("web_fetch", config, NO_RULES)


@pytest.mark.parametrize("blocked", ["inside.example", "INSIDE.example", "inside.example.", "*.example"])
@pytest.mark.parametrize(
    "url", ["http://inside.example/", "http://Inside.Example./", "http://public.example/"]
)
async def test_a_blocked_host_is_never_fetched_also_behind_a_redirect(blocked: str, url: str) -> None:
    if "public" in url and blocked != "*.example":
        return
    block = {
        "allowPrivateNetwork": True,
        "ssrfPolicy": {"blockedHostnames": [blocked], "allowedHostnames": ["inside.example"]},
    }
    policy = policy_of(block)
    assert await connected(url, policy) == []
    async with serving({("93.184.216.35", "/"): redirect(url)}) as upstream:
        internet = SmallInternet(upstream)
        with pytest.raises(EgressDenied):
            await internet.fetch(f"http://{OTHER}/", policy)
        assert internet.hosts == [OTHER]


async def test_an_allowed_host_is_allowed_in_every_spelling_and_for_its_name_alone() -> None:
    block = {"ssrfPolicy": {"allowedHostnames": ["Inside.Example."]}}
    policy = policy_of(block)
    assert await connected("http://inside.example./", policy) == [(INSIDE, 80)]
    assert await connected("http://10.0.0.5/", policy) == []
    assert await connected("http://inside.example/", policy, {"inside.example": [[METADATA]]}) == []
