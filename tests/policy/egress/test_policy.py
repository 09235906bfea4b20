"""What a requester may dial."""

from __future__ import annotations

import doctest
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from clawgate.policy.egress.address import classify
from clawgate.policy.egress.policy import (
    Decision,
    EgressPolicy,
    NetworkRules,
    check_address,
    check_behind_proxy,
    check_host,
    check_url,
)
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress.rules import FakeIp, Rule
from clawgate.wire.http.url import Origin
from tests.policy.egress.policies import CLOSED, OPEN, ORIGIN


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "0x7f.1", "0177.0.0.1", "127.000.000.001", "2130706433", "0", "127.0.0.1.", " 127.0.0.1",
     "127.0.0.1 ", "127.0.0.1:80", "[::1]", "\uff11\uff12\uff17.0.0.1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::g",
     "1::2::3", "%eth0", "\x00", "no address"],
)  # fmt: skip
@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_no_address_is_refused(text: str, trusted: bool) -> None:
    """A resolver answers with canonical addresses; anything else is not interpreted but refused."""
    decision = check_address(text, ORIGIN, OPEN if trusted else CLOSED)
    assert (decision.allowed, decision.kind) == (False, AddressKind.NOT_AN_ADDRESS)


def test_a_switch_counts_for_its_own_origin_alone() -> None:
    policy = replace(OPEN, origin=ORIGIN)
    assert check_address("10.0.0.1", ORIGIN, policy) == Decision(True, AddressKind.PRIVATE, "the.switch")
    for other in (
        replace(ORIGIN, port=81),
        replace(ORIGIN, scheme="https"),
        replace(ORIGIN, host="other.example"),
    ):
        assert not check_address("10.0.0.1", other, policy).allowed


def test_a_switch_for_one_origin_counts_for_its_proxy_and_for_no_other() -> None:
    proxy = Origin("http", "proxy.example", 3128)
    policy = replace(OPEN, origin=ORIGIN).of_proxy(proxy)
    assert check_address("10.0.0.1", proxy, policy).allowed
    assert not check_address("10.0.0.1", ORIGIN, policy).allowed
    assert OPEN.of_proxy(proxy) == OPEN


def test_the_switch_of_the_gateway_counts_for_every_origin() -> None:
    policy = replace(CLOSED, network=NetworkRules(private=True))
    assert check_address("10.0.0.1", ORIGIN, policy) == Decision(
        True, AddressKind.PRIVATE, "gateway.allowPrivateNetwork"
    )
    assert not check_address("169.254.169.254", ORIGIN, policy).allowed


def test_a_name_is_decided_by_its_addresses() -> None:
    assert check_host(ORIGIN, CLOSED).allowed
    assert not check_host(Origin("http", "localhost", 80), CLOSED).allowed
    assert check_host(Origin("http", "localhost", 80), OPEN).allowed
    assert not check_host(Origin("http", "metadata.google.internal", 80), OPEN).allowed


def test_a_url_is_decided_without_its_addresses() -> None:
    assert check_url("http://93.184.216.34/x", CLOSED).allowed
    assert not check_url("http://0x7f.1/x", CLOSED).allowed
    assert check_url("http://0x7f.1/x", OPEN).allowed
    with pytest.raises(ValueError, match="must look like"):
        check_url("no url", OPEN)


def ruled(policy: EgressPolicy = CLOSED, **rules: Any) -> EgressPolicy:
    for name in ("allow", "deny"):
        rules[name] = tuple(map(Rule.parse, rules.get(name, ())))
    return replace(policy, network=NetworkRules(**rules))


NAMED = Origin("http", "owl.example", 8000)
FAKE = FakeIp(hosts=("faked.example", "*.faked.example"))


@pytest.mark.parametrize(
    ("rules", "address", "rule"),
    [
        ({"allow": ["10.0.0.0/8"]}, "10.1.2.3", "network.allow 10.0.0.0/8"),
        ({"allow": ["10.0.0.0/8"]}, "::ffff:10.1.2.3", "network.allow 10.0.0.0/8"),
        ({"allow": ["::ffff:10.0.0.0/104"]}, "10.1.2.3", "network.allow ::ffff:10.0.0.0/104"),
        ({"allow": ["owl.example"]}, "10.1.2.3", "network.allow owl.example"),
        ({"allow": ["*.example"]}, "127.0.0.1", "network.allow *.example"),
        ({"allow": ["owl.example:8000"]}, "10.1.2.3", "network.allow owl.example:8000"),
        ({"allow": ["10.1.2.3:8000"]}, "10.1.2.3", "network.allow 10.1.2.3:8000"),
        ({"allow": ["0x0a.66051"]}, "10.1.2.3", "network.allow 0x0a.66051"),
        ({"allow": ["[fd00::1]:8000"]}, "fd00::1", "network.allow [fd00::1]:8000"),
        ({"private": True}, "10.1.2.3", "gateway.allowPrivateNetwork"),
    ],
)
def test_what_the_rules_of_the_gateway_allow(rules: dict[str, Any], address: str, rule: str) -> None:
    assert check_address(address, NAMED, ruled(**rules)) == Decision(
        True, classify(ip_address(address)), rule
    )
    assert not check_address("169.254.169.254", NAMED, ruled(**rules)).allowed
    assert not check_address("fe80::1", NAMED, ruled(**rules)).allowed


@pytest.mark.parametrize(
    "allow", ["10.0.0.0/9", "other.example", "*.owl.example", "owl.example:80", "10.1.2.3:80"]
)
def test_what_a_rule_does_not_name_stays_shut(allow: str) -> None:
    assert not check_address("10.255.2.3", NAMED, ruled(allow=[allow])).allowed


@pytest.mark.parametrize("allow", ["0.0.0.0/0", "::/0", "169.0.0.0/8", "owl.example", "fe80::/9"])
@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "0.0.0.0", "::ffff:169.254.169.254"],
)
def test_no_rule_opens_metadata_and_link_local(allow: str, address: str) -> None:
    policy = ruled(replace(OPEN, allowed_hosts=("*.example",)), allow=[allow], private=True, report_only=True)
    assert not check_address(address, NAMED, policy).allowed


@pytest.mark.parametrize(
    ("deny", "address"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("93.184.216.0/24", "93.184.216.34"),
        ("*.example", "93.184.216.34"),
        ("owl.example:8000", "10.1.2.3"),
    ],
)
def test_deny_wins_over_all_that_allows(deny: str, address: str) -> None:
    policy = ruled(
        replace(OPEN, allowed_hosts=("owl.example",)), deny=[deny], allow=["0.0.0.0/0"], private=True
    )
    decision = check_address(address, NAMED, policy)
    assert (decision.allowed, decision.rule) == (False, f"network.deny {deny}")


def test_a_denied_name_is_refused_before_it_is_resolved() -> None:
    assert not check_host(NAMED, ruled(deny=["owl.example"])).allowed
    assert not check_behind_proxy(NAMED, ruled(deny=["owl.example"])).allowed
    for policy in (CLOSED, replace(CLOSED, origin=NAMED)):
        assert check_behind_proxy(Origin("http", "10.0.0.1", 80), policy).allowed
    assert not check_behind_proxy(Origin("http", "169.254.169.254", 80), OPEN).allowed


def test_hosts_of_one_requester() -> None:
    policy = replace(CLOSED, allowed_hosts=("owl.example",), blocked_hosts=("*.bad.example",))
    assert check_address("10.0.0.1", NAMED, policy).rule == "allowed host owl.example"
    assert not check_address("10.0.0.1", ORIGIN, policy).allowed
    bad = Origin("https", "a.bad.example", 443)
    assert check_host(bad, policy) == Decision(
        False, AddressKind.NOT_AN_ADDRESS, "blocked host *.bad.example"
    )
    assert check_host(replace(bad, host="bad.example"), policy).allowed
    policy = replace(CLOSED, allowed_hosts=("OWL.Example.",), blocked_hosts=("Bad.Example.", "8.8.8.8"))
    assert check_address("10.0.0.1", NAMED, policy).allowed
    assert not check_host(replace(bad, host="bad.example"), policy).allowed
    assert not check_host(replace(bad, host="::ffff:808:808"), policy).allowed
    assert not check_address("8.8.8.8", NAMED, policy).allowed


def test_a_service_of_our_own_has_its_own_loopback_address_alone() -> None:
    policy = EgressPolicy(requester="provider:own", loopback=True, origin=NAMED)
    assert check_address("127.0.0.1", NAMED, policy).allowed and check_address("::1", NAMED, policy).allowed
    assert not check_address("10.0.0.1", NAMED, policy).allowed
    assert not check_address("127.0.0.1", replace(NAMED, port=1), policy).allowed


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("owl.example", "198.18.0.40", True),
        ("owl.example", "198.19.255.255", True),
        ("owl.example", "::ffff:198.18.0.40", True),
        ("owl.example", "198.17.0.1", True),  # public
        ("owl.example", "203.0.113.1", False),
        ("owl.example", "10.0.0.1", False),
        ("faked.example", "198.18.0.40", True),
        ("a.faked.example", "198.18.0.40", True),
        ("other.example", "198.18.0.40", False),
        ("198.18.0.40", "198.18.0.40", False),
    ],
)
def test_placeholders_are_for_the_names_of_providers_and_those_listed(
    host: str, address: str, allowed: bool
) -> None:
    policy = ruled(replace(CLOSED, origin=NAMED), fake_ip=FAKE)
    assert check_address(address, replace(NAMED, host=host), policy).allowed is allowed
    if host == "198.18.0.40":
        policy = replace(policy, private=True, origin=replace(NAMED, host=host))
        assert not check_host(replace(NAMED, host=host), policy).allowed, "a literal is no placeholder"


def test_without_the_setting_placeholders_are_never_dialled() -> None:
    assert not check_address("198.18.0.40", NAMED, replace(OPEN, origin=NAMED)).allowed


def test_no_range_of_placeholders_opens_what_is_never_dialled() -> None:
    everything = FakeIp(ranges=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    policy = ruled(replace(CLOSED, origin=NAMED), fake_ip=everything)
    for address in ("169.254.169.254", "169.254.0.1", "127.0.0.1", "fe80::1", "fd00:ec2::254", "::1"):
        assert not check_address(address, NAMED, policy).allowed, address


@pytest.mark.parametrize("deny", ["198.18.0.0/16", "owl.example"])
def test_deny_wins_over_placeholders(deny: str) -> None:
    policy = ruled(replace(CLOSED, origin=NAMED), fake_ip=FAKE, deny=[deny])
    assert check_address("198.18.0.40", NAMED, policy).rule == f"network.deny {deny}"


def test_report_only_lets_through_what_a_setting_could_allow() -> None:
    policy = ruled(report_only=True, deny=["93.184.216.34"])
    for address in ("10.0.0.1", "127.0.0.1", "93.184.216.34"):
        decision = check_address(address, NAMED, policy)
        assert decision.allowed and decision.reported
    assert not check_address("8.8.8.8", NAMED, policy).reported
    for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "no address"):
        assert not check_address(address, NAMED, policy).allowed


REPORTS = replace(CLOSED, network=NetworkRules(report_only=True))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fc00::1", "::ffff:10.0.0.1"])
def test_report_only_lets_a_refusal_through_and_keeps_its_rule(address: str) -> None:
    refused = check_address(address, ORIGIN, CLOSED)
    assert check_address(address, ORIGIN, REPORTS) == replace(refused, allowed=True, reported=True)
    assert check_host(Origin("http", "localhost", 80), REPORTS).reported


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "169.254.1.1", "fe80::1", "0.0.0.0", "224.0.0.1", "64:ff9b::a9fe:a9fe", "x"],
)  # fmt: skip
def test_report_only_lets_nothing_through_that_is_never_dialled(address: str) -> None:
    assert check_address(address, ORIGIN, REPORTS) == check_address(address, ORIGIN, CLOSED)
    assert not check_address(address, ORIGIN, REPORTS).allowed
    assert not check_host(Origin("http", "metadata.google.internal", 80), REPORTS).allowed


def test_report_only_reports_nothing_that_is_allowed() -> None:
    assert not check_address("93.184.216.34", ORIGIN, REPORTS).reported
    assert not check_address("10.0.0.1", ORIGIN, replace(REPORTS, private=True)).reported


def test_the_page_on_egress_shows_what_the_call_returns() -> None:
    found = doctest.testfile("../../../docs/egress.md")
    assert found.attempted and not found.failed
