"""Where a credential may go: every special range row by row, and no spelling changes the verdict."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.policy import egress
from clawgate.policy.egress import (
    Decision,
    Reason,
    classify,
    classify_host,
    decide,
    decide_text,
    embedded_ipv4,
)
from tests.policy.addresses import ROWS

OPENED_BY_TRUST = {Reason.LOOPBACK, Reason.PRIVATE}
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


def test_the_table_is_long_enough_and_has_no_row_twice() -> None:
    assert len(ROWS) >= 150
    assert len({ip_address(text.partition("%")[0]) for text, _, _ in ROWS}) >= 150
    assert len({text for text, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "reason", "why"), ROWS, ids=[f"{row[0]} {row[2]}" for row in ROWS])
def test_every_address_has_its_reason(text: str, reason: str, why: str) -> None:
    """Untrusted: only public passes. Trusted: loopback and private as well, and nothing else."""
    assert classify(ip_address(text)) == reason, why
    public, trusted = decide_text(text, allow_private=False), decide_text(text, allow_private=True)
    assert public == Decision(reason == "public", Reason(reason))
    if reason in OPENED_BY_TRUST:
        assert trusted == Decision(True, Reason.TRUSTED_ORIGIN)
    else:
        assert trusted == public


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "0x7f.1", "0177.0.0.1", "127.000.000.001", "2130706433", "0", "127.0.0.1.", " 127.0.0.1",
     "127.0.0.1 ", "127.0.0.1:80", "[::1]", "\uff11\uff12\uff17.0.0.1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::g",
     "1::2::3", "%eth0", "\x00", "no address"],
)  # fmt: skip
@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_no_address_is_refused(text: str, trusted: bool) -> None:
    """A resolver answers with canonical addresses; anything else is not interpreted but refused."""
    assert decide_text(text, allow_private=trusted) == Decision(False, Reason.NOT_AN_ADDRESS)


@settings(max_examples=800, deadline=None)
@given(v4, st.booleans())
@example(IPv4Address("169.254.169.254"), True)
@example(IPv4Address("127.0.0.1"), False)
@example(IPv4Address("0.0.255.255"), True)
def test_no_spelling_and_no_embedding_changes_the_verdict(inner: IPv4Address, trusted: bool) -> None:
    """An IPv4 address is judged the same in every IPv6 form, however that is written."""
    verdict = decide(inner, allow_private=trusted)
    for name, address in embeddings(inner).items():
        assert embedded_ipv4(address) == inner, name
        for text in spellings(address):
            assert decide_text(text, allow_private=trusted) == verdict, (name, text)


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_trust_opens_loopback_and_private_and_nothing_else(address: IPv6Address) -> None:
    """For any address: what is refused with trust is refused without, and the reason is the same."""
    plain, trusted = decide(address, allow_private=False), decide(address, allow_private=True)
    assert plain.allowed == (plain.reason is Reason.PUBLIC)
    if plain.reason in OPENED_BY_TRUST:
        assert trusted == Decision(True, Reason.TRUSTED_ORIGIN)
    else:
        assert trusted == plain


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_outside_global_unicast_only_embedded_addresses_are_public(address: IPv6Address) -> None:
    if int(address) >> 125 != 1 and embedded_ipv4(address) is None:
        assert classify(address) is not Reason.PUBLIC


@pytest.mark.parametrize(
    "text", ["::1", "::", "::ffff", "fe80::1", "2001:db8::1", "2001:0:7f00:1::", "64:ff9b:1::1"]
)
def test_nothing_is_embedded_where_nothing_is(text: str) -> None:
    """Teredo and local NAT64 are refused whole, so nothing is read out of them."""
    assert embedded_ipv4(IPv6Address(text)) is None


def _legacy(address: IPv4Address) -> list[str]:
    """What `inet_aton` reads as ``address``."""
    number, (a, b, c, d) = int(address), address.packed
    return [
        str(address), str(number), hex(number), f"0{number:o}", f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}", f"0x{a:x}.0{b:o}.{c}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"0x{a:02x}.{number & 0xFFFFFF}",
    ]  # fmt: skip


@given(v4)
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address(0))
@settings(max_examples=500)
def test_an_address_is_known_in_every_spelling_that_resolvers_take(address: IPv4Address) -> None:
    for spelling in _legacy(address):
        assert socket.inet_aton(spelling) == address.packed
        assert classify_host(spelling) is classify(address), spelling


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("metadata.google.internal", Reason.METADATA),
        ("metadata.goog", Reason.METADATA),
        ("::ffff:a9fe:a9fe", Reason.METADATA),
        ("metadata.example", Reason.NOT_AN_ADDRESS),
        ("1.2.3.4.5", Reason.NOT_AN_ADDRESS),
        ("256.1.1.1", Reason.NOT_AN_ADDRESS),
        ("4294967296", Reason.NOT_AN_ADDRESS),
        ("0x", Reason.NOT_AN_ADDRESS),
        ("09.1.1.1", Reason.NOT_AN_ADDRESS),
        ("a1", Reason.NOT_AN_ADDRESS),
    ],
)
def test_what_a_host_says_of_itself(host: str, kind: Reason) -> None:
    assert classify_host(host) is kind


def documented_rows() -> list[tuple[str, str, str]]:
    """The rows of the module's table: a kind, one address of it, and when it is dialled."""
    lines = (egress.__doc__ or "").split("=\n")[2].splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines if line[:1].isalpha()]
    return [
        (kind, address, dialled) for kind, addresses, dialled in rows for address in addresses.split(", ")
    ]


@pytest.mark.parametrize(("kind", "address", "dialled"), documented_rows())
def test_the_documented_table_is_what_is_decided(kind: str, address: str, dialled: str) -> None:
    assert classify(ip_address(address)) == kind
    allowed = [decide_text(address, allow_private=allow_private).allowed for allow_private in (False, True)]
    assert (
        allowed
        == {"always": [True, True], "only with ``allow_private``": [False, True], "never": [False, False]}[
            dialled
        ]
    )


def test_the_documented_table_has_every_kind() -> None:
    kinds = set(Reason) - {Reason.TRUSTED_ORIGIN, Reason.NOT_AN_ADDRESS}
    assert {kind for kind, _, _ in documented_rows()} == kinds
