"""What a requester may dial."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clawgate.errors import EgressDenied, PrivateNetworkBlocked
from clawgate.policy.egress.policy import (
    Decision,
    NetworkRules,
    check_address,
    check_host,
    check_url,
    denied,
)
from clawgate.policy.egress.ranges import AddressKind
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


def test_the_switch_of_the_gateway_counts_for_every_origin() -> None:
    policy = replace(CLOSED, network=NetworkRules(private=True))
    assert check_address("10.0.0.1", ORIGIN, policy) == Decision(
        True, AddressKind.PRIVATE, "the switch of the gateway"
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


def test_an_error_names_the_switch_only_where_there_is_one_that_opens() -> None:
    policy = replace(CLOSED, setting="the.switch")
    error = denied(ORIGIN, "10.0.0.1", check_address("10.0.0.1", ORIGIN, policy), policy)
    assert type(error) is PrivateNetworkBlocked and "the.switch" in error.message
    for address, asked in (("10.0.0.1", CLOSED), ("169.254.169.254", policy)):
        error = denied(ORIGIN, address, check_address(address, ORIGIN, asked), asked)
        assert type(error) is EgressDenied and "the.switch" not in error.message


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
