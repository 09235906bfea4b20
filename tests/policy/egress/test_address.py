"""Where a credential may go: every special range row by row, and no spelling changes the verdict."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.policy.egress.address import (
    classify,
    embedded_ipv4,
    isatap_ipv4,
    parse_address,
    parse_literal,
)
from clawgate.policy.egress.policy import check_address, check_host
from clawgate.policy.egress.ranges import PRIVATE_KINDS, ROWS, AddressKind, Row
from clawgate.wire.http.host import parse_host
from clawgate.wire.http.url import Origin
from tests.policy.egress.policies import CLOSED, OPEN, ORIGIN
from tests.policy.egress.spellings import ipv4_spellings, ipv6_spellings, nat64, refused_whole, unwrapped

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)


TEN_THOUSAND = settings(max_examples=100, deadline=None)
values = st.lists(v4, min_size=100, max_size=100)
SPECIAL = [
    IPv4Address(text) for text in ("169.254.169.254", "127.0.0.1", "0.0.255.255", "10.0.0.1", "8.8.8.8")
]


@TEN_THOUSAND
@given(values, st.booleans())
@example(SPECIAL, True)
@example(SPECIAL, False)
def test_no_spelling_and_no_embedding_changes_the_verdict(inners: list[IPv4Address], trusted: bool) -> None:
    """An IPv4 address is the same in every text, and in every IPv6 form, however that is written."""
    policy = OPEN if trusted else CLOSED
    for number, inner in enumerate(inners):
        verdict = check_address(str(inner), ORIGIN, policy)
        assert check_host(Origin("http", str(inner), 80), policy) == verdict
        for text in ipv4_spellings(inner).values():
            assert parse_host(text) == str(inner), text
        for name, address in unwrapped(inner).items():
            assert isatap_ipv4(address) == inner or embedded_ipv4(address) == inner, name
            assert check_address(str(address), ORIGIN, policy) == verdict, name
        address = list(unwrapped(inner).values())[number % 8]
        (host,) = {parse_host(f"[{text}]") for text in ipv6_spellings(address)}
        assert IPv6Address(host) == address


@TEN_THOUSAND
@given(values)
@example(SPECIAL)
def test_what_is_refused_whole_is_refused_whatever_it_carries(inners: list[IPv4Address]) -> None:
    for inner in inners:
        for name, address in refused_whole(inner).items():
            assert classify(address) in (AddressKind.SPECIAL, AddressKind.METADATA), name
            assert not check_address(str(address), ORIGIN, OPEN).allowed, name


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("2606:4700::5efe:8.8.8.8", AddressKind.PUBLIC),
        ("2606:4700::5efe:10.0.0.1", AddressKind.PRIVATE),
        ("2606:4700::200:5efe:a9fe:a9fe", AddressKind.METADATA),
        ("fd00::5efe:127.0.0.1", AddressKind.LOOPBACK),
        ("fd00::5efe:8.8.8.8", AddressKind.PRIVATE),
        ("fe80::5efe:8.8.8.8", AddressKind.LINK_LOCAL),
        ("2002:808:808::5efe:10.0.0.1", AddressKind.PRIVATE),
        ("2002:a00:1::5efe:8.8.8.8", AddressKind.PRIVATE),
        ("2606:4700::400:5efe:10.0.0.1", AddressKind.PUBLIC),
    ],
)
def test_the_worst_of_its_meanings_counts(address: str, kind: AddressKind) -> None:
    assert classify(IPv6Address(address)) is kind


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_trust_opens_loopback_and_private_and_nothing_else(address: IPv6Address) -> None:
    """For any address: what is refused with trust is refused without, and the kind is the same."""
    text = str(address)
    closed, opened = check_address(text, ORIGIN, CLOSED), check_address(text, ORIGIN, OPEN)
    assert parse_address(text) == address and classify(address) is closed.kind
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


OWN_PREFIX = 0x2A00_1234 << 96


@pytest.mark.parametrize("length", [32, 40, 48, 56, 64, 96])
@pytest.mark.parametrize("inner", [row for row in ROWS if row.kind is AddressKind.METADATA])
def test_metadata_is_refused_under_any_prefix_of_nat64(inner: Row, length: int) -> None:
    """Other addresses are not: that prefix is unknown here."""
    if inner.network.version == 4:
        assert classify(IPv6Address(nat64(OWN_PREFIX, length, int(inner.network[0])))) is AddressKind.METADATA
        beside = int(inner.network[0]) + 2
        assert classify(IPv6Address(nat64(OWN_PREFIX, length, beside))) is AddressKind.PUBLIC
