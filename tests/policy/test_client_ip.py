"""One client is counted once, however its address is spelled; forwarded ones count where a named proxy says so."""

from __future__ import annotations

import pytest

from clawgate.policy.client_ip import TrustedProxies, client_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:C000:201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("2001:DB8::FFFF",
        "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"), ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("::1", "::/64"), ("", ""), ("a socket", "a socket"), ("192.0.2.01",
        "192.0.2.01"),
    ],
)  # fmt: skip
def test_failures_are_counted_by_ipv4_address_or_ipv6_network(address: str, key: str) -> None:
    assert client_key(address) == key


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.9", b"7.7.7.7", "7.7.7.7"),
        ("10.0.0.9", b"1.1.1.1, 7.7.7.7", "7.7.7.7"),
        ("10.0.0.9", b"7.7.7.7,172.17.3.4 , 10.0.0.9", "7.7.7.7"),
        ("::ffff:10.0.0.9", b"7.7.7.7", "7.7.7.7"),
        ("172.16.0.1", b"7.7.7.7", "7.7.7.7"),
        ("2001:db8::1", b"2001:DB8:1::7", "2001:db8:1::7"),
        ("10.0.0.9", b"7.7.7.7:4711", "7.7.7.7"),
        ("10.0.0.9", b"[2001:db8:1::7]:4711", "2001:db8:1::7"),
        ("10.0.0.9", b"[2001:db8:1::7]", "2001:db8:1::7"),
        ("10.0.0.9", b"::ffff:7.7.7.7", "7.7.7.7"),
        # Nobody else's word counts.
        ("10.0.0.8", b"7.7.7.7", "10.0.0.8"),
        ("172.32.0.1", b"7.7.7.7", "172.32.0.1"),
        ("", b"7.7.7.7", ""),
        # Nobody knows whose it is: all of these share the proxy's count.
        ("10.0.0.9", None, "10.0.0.9"),
        ("10.0.0.9", b"", "10.0.0.9"),
        ("10.0.0.9", b"unknown", "10.0.0.9"),
        ("10.0.0.9", b"7.7.7.7, " + b"x" * 10_000, "10.0.0.9"),
        ("10.0.0.9", b"7.7.7.7, \xff", "10.0.0.9"),
        ("10.0.0.9", b"10.0.0.9, 172.16.0.1", "10.0.0.9"),
    ],
)
def test_the_client_behind_a_proxy_is_the_last_address_that_is_none(
    peer: str, forwarded: bytes | None, client: str
) -> None:
    proxies = TrustedProxies.of(["10.0.0.9", "172.16.0.1/12", "2001:db8::/64"])
    assert proxies.client_ip(peer, forwarded) == client
    assert TrustedProxies().client_ip(peer, forwarded) == peer


@pytest.mark.parametrize("text", ["localhost", "10.0.0.0/33", "10.0.0", "", "10.0.0.1:80", "*"])
def test_a_proxy_is_an_address_or_a_network(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        TrustedProxies.of([text])
