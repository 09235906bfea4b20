"""Where a credential may go: every special range row by row, and no spelling changes the verdict."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.policy.egress.address import (
    classify,
    embedded_ipv4,
    parse_address,
    parse_literal,
    resolved_kind,
)
from clawgate.policy.egress.policy import check_address
from clawgate.policy.egress.ranges import PRIVATE_KINDS, AddressKind
from tests.policy.egress.policies import CLOSED, OPEN, ORIGIN
from tests.policy.egress.spellings import ipv4_spellings

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)


def embeddings(inner: IPv4Address) -> dict[str, IPv6Address]:
    """Every IPv6 address that a network takes to mean ``inner``."""
    number = int(inner)
    forms = {
        "mapped": IPv6Address(0xFFFF << 32 | number),
        "NAT64": IPv6Address(0x64FF9B << 96 | number),
        "6to4": IPv6Address(0x2002 << 112 | number << 80),
        "6to4 with a host": IPv6Address(0x2002 << 112 | number << 80 | 0x0808_0808),
    }
    if number > 0xFFFF:  # below, the compatible form is :: or ::1 or no address at all
        forms["compatible"] = IPv6Address(number)
    return forms


def spellings(address: IPv6Address) -> list[str]:
    """Texts that mean the same address."""
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    head = ":".join(address.exploded.split(":")[:6])
    return [
        str(address),
        address.exploded,
        str(address).upper(),
        address.exploded.upper(),
        f"{head}:{low}",
        f"{address}%eth0",
        f"{address.exploded}%25",
    ]


@settings(max_examples=800, deadline=None)
@given(v4, st.booleans())
@example(IPv4Address("169.254.169.254"), True)
@example(IPv4Address("127.0.0.1"), False)
@example(IPv4Address("0.0.255.255"), True)
def test_no_spelling_and_no_embedding_changes_the_verdict(inner: IPv4Address, trusted: bool) -> None:
    """An IPv4 address is judged the same in every IPv6 form, however that is written."""
    policy = OPEN if trusted else CLOSED
    verdict = check_address(str(inner), ORIGIN, policy)
    for name, address in embeddings(inner).items():
        assert embedded_ipv4(address) == inner, name
        for text in spellings(address):
            assert check_address(text, ORIGIN, policy) == verdict, (name, text)


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_trust_opens_loopback_and_private_and_nothing_else(address: IPv6Address) -> None:
    """For any address: what is refused with trust is refused without, and the reason is the same."""
    text = str(address)
    closed, opened = check_address(text, ORIGIN, CLOSED), check_address(text, ORIGIN, OPEN)
    assert parse_address(text) == address and resolved_kind(text) is classify(address) is closed.kind
    assert closed.allowed == (closed.kind is AddressKind.PUBLIC)
    if closed.kind in PRIVATE_KINDS:
        assert opened.allowed and opened.kind is closed.kind
    else:
        assert opened == closed


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_outside_global_unicast_only_embedded_addresses_are_public(address: IPv6Address) -> None:
    if int(address) >> 125 != 1 and embedded_ipv4(address) is None:
        assert classify(address) is not AddressKind.PUBLIC


@pytest.mark.parametrize(
    "text", ["::1", "::", "::ffff", "fe80::1", "2001:db8::1", "2001:0:7f00:1::", "64:ff9b:1::1"]
)
def test_nothing_is_embedded_where_nothing_is(text: str) -> None:
    """Teredo and local NAT64 are refused whole, so nothing is read out of them."""
    assert embedded_ipv4(IPv6Address(text)) is None


@given(v4)
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address(0))
@settings(max_examples=500)
def test_an_address_is_known_in_every_spelling_that_resolvers_take(address: IPv4Address) -> None:
    for spelling in ipv4_spellings(address).values():
        assert parse_literal(spelling.lower()) == address, spelling
