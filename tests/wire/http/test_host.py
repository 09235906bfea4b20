"""A host has one spelling: what means an address becomes it, and what could mean two things is refused."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.wire.http.host import parse_host, parse_ipv4
from tests.policy.egress.spellings import ipv4_spellings


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32 - 1).map(IPv4Address))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address(0))
@example(IPv4Address("255.255.255.255"))
def test_every_spelling_of_an_address_becomes_it(address: IPv4Address) -> None:
    for spelling in ipv4_spellings(address).values():
        assert socket.inet_aton(spelling) == address.packed
        assert parse_ipv4(spelling.lower()) == address and parse_host(spelling) == str(address), spelling
        assert parse_host(f"{spelling}.") == str(address)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("LocalHost", "localhost"),
        ("a.b.", "a.b"),
        ("my_host-1.lan", "my_host-1.lan"),
        ("\u00fcber.example", "xn--ber-goa.example"),
        ("\u00dcBER.example", "xn--ber-goa.example"),
        ("u\u0308ber.example", "xn--ber-goa.example"),
        ("\u4f8b\u3048.jp", "xn--r8jz45g.jp"),
        ("xn--ber-goa.example", "xn--ber-goa.example"),
        ("XN--BER-GOA.example", "xn--ber-goa.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("0x7f.1.example", "0x7f.1.example"),
        ("1a", "1a"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[FD00::A]", "fd00::a"),
    ],
)
def test_one_spelling(text: str, host: str) -> None:
    assert parse_host(text) == host == parse_host(f"[{host}]" if ":" in host else host)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"), (".", "empty"), ("a..b", "empty"), ("a..", "empty"), (".a", "empty"),
        ("a" * 64, "overlong"), ("\u00fc" * 60, "overlong"), (".".join("a" * 128), "overlong"),
        ("-a", "neither"), ("a-", "neither"), ("a b", "neither"), ("a%2eb", "neither"), ("a:b", "neither"),
        ("::1", "neither"), ("a\tb", "neither"), ("a*", "neither"),
        ("256.1.1.1", "is none"), ("1.2.3.4.5", "is none"), ("4294967296", "is none"), ("0x", "is none"),
        ("09.1.1.1", "is none"), ("1.2.3.08", "is none"), ("0x100000000", "is none"), ("127.0.0.256", "is none"),
        ("127.0.65536", "is none"), ("a.1", "is none"), ("a.0x7f", "is none"), ("1..1", "empty"),
        ("\uff11\uff12\uff17.0.0.1", "differently"), ("\u2460.1", "differently"), ("127\u30020.0.1", "differently"),
        ("127\uff0e0.0.1", "differently"), ("\uff4cocalhost", "differently"), ("\u212a", "differently"),
        ("loca\u217cost", "differently"), ("\u0661\u0662\u0667.0.0.1", "differently"),
        ("stra\u00dfe.de", "differently"), ("\u03c2.gr", "differently"), ("a\u200db", "differently"),
        ("a\u00adb", "differently"), ("\u00aa", "differently"), ("a\u2024b", "differently"), ("\u2100", "differently"),
        ("xn--localhost-.a", "encoded"), ("xn--", "encoded"), ("xn--99999999", "encoded"), ("xn--a", "encoded"),
        ("[127.0.0.1]", "brackets"), ("[]", "brackets"), ("[:::1]", "brackets"), ("[12345::]", "brackets"),
        ("[::1%25eth0]", "zone"), ("[fe80::1%eth0]", "zone"), ("[v1.a]", "brackets"), ("[::ffff:0x7f.1]", "brackets"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_host(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=20) | st.text("xn-a0189.\u00fc\u00df[]:%", max_size=20))
def test_any_text_is_a_host_or_a_value_error(text: str) -> None:
    try:
        host = parse_host(text)
    except ValueError:
        return
    assert host.isascii() and parse_host(f"[{host}]" if ":" in host else host) == host
