"""Several hundred URLs, each a spelling of a known address or name, with and without permission for private ones."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from clawgate.policy.egress.policy import check_url
from clawgate.policy.egress.ranges import AddressKind
from tests.policy.egress.policies import CLOSED, OPEN
from tests.policy.egress.spellings import ipv4_spellings, ipv6_spellings, refused_whole, unwrapped

ADDRESSES = {
    "8.8.8.8": AddressKind.PUBLIC,
    "127.0.0.1": AddressKind.LOOPBACK,
    "127.1.2.3": AddressKind.LOOPBACK,
    "10.0.0.1": AddressKind.PRIVATE,
    "172.16.5.4": AddressKind.PRIVATE,
    "192.168.1.1": AddressKind.PRIVATE,
    "100.64.0.1": AddressKind.PRIVATE,
    "169.254.1.1": AddressKind.LINK_LOCAL,
    "169.254.169.254": AddressKind.METADATA,
    "100.100.100.200": AddressKind.METADATA,
    "168.63.129.16": AddressKind.METADATA,
    "198.18.0.1": AddressKind.SPECIAL,
    "224.0.0.1": AddressKind.SPECIAL,
    "255.255.255.255": AddressKind.SPECIAL,
    "0.0.0.0": AddressKind.SPECIAL,
}
NAMES = {
    "localhost": AddressKind.LOOPBACK,
    "a.b.localhost": AddressKind.LOOPBACK,
    "localhost.localdomain": AddressKind.LOOPBACK,
    "printer.local": AddressKind.PRIVATE,
    "host.docker.internal": AddressKind.PRIVATE,
    "metadata.google.internal": AddressKind.METADATA,
    "metadata.goog": AddressKind.METADATA,
    "instance-data": AddressKind.METADATA,
    "localhost.example": AddressKind.NOT_AN_ADDRESS,
}


def rows() -> dict[str, AddressKind]:
    """Return the kind of every URL."""
    found: dict[str, AddressKind] = {}
    for text, kind in ADDRESSES.items():
        address = IPv4Address(text)
        hosts = [*ipv4_spellings(address).values(), *(f"{one}." for one in (text, hex(int(address))))]
        for name, wrapped in unwrapped(address).items():
            spelled = ipv6_spellings(wrapped)
            hosts += [f"[{one}]" for one in (spelled if name in ("mapped", "NAT64") else spelled[:1])]
        found |= {f"http://{host}:81/x?y#z": kind for host in hosts}
        never = AddressKind.METADATA if kind is AddressKind.METADATA else AddressKind.SPECIAL
        for name, whole in refused_whole(address).items():
            found[f"http://[{whole}]/"] = AddressKind.SPECIAL if name == "Teredo client" else never
    for name, kind in NAMES.items():
        for host in (name, name.upper(), name.title(), f"{name}."):
            found[f"HTTP://{host}/"] = kind
    return found


ROWS = rows()


def test_there_are_several_hundred() -> None:
    assert len(ROWS) >= 600


@pytest.mark.parametrize("url", ROWS)
def test_every_spelling_is_what_it_means(url: str) -> None:
    kind = ROWS[url]
    closed, opened = check_url(url, CLOSED), check_url(url, OPEN)
    assert closed.kind is opened.kind is kind
    assert closed.allowed is (kind in (AddressKind.PUBLIC, AddressKind.NOT_AN_ADDRESS))
    assert opened.allowed is (closed.allowed or kind in (AddressKind.LOOPBACK, AddressKind.PRIVATE))
