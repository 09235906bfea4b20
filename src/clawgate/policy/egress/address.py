"""Classifies an address by what it means: embedded IPv4 addresses unwrapped, every spelling of a literal read."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from clawgate.policy.egress.ranges import Address, AddressKind, range_kind
from clawgate.wire.http.host import parse_ipv4

_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_COMPATIBLE = IPv6Network("::/96")


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside ``address``: mapped, compatible, NAT64 or 6to4; None where there is none."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return None


def classify(address: Address) -> AddressKind:
    """Return the kind of ``address``; of an embedded IPv4 address, the kind of that one."""
    if isinstance(address, IPv6Address):
        inner = embedded_ipv4(address)
        if inner is not None:
            return range_kind(inner)
    return range_kind(address)


def resolved_kind(text: str) -> AddressKind:
    """Return the kind of an address in text, as a resolver returns it; a zone index is dropped first."""
    address = parse_address(text)
    return AddressKind.NOT_AN_ADDRESS if address is None else classify(address)


def parse_address(text: str) -> Address | None:
    """Parse an address as a resolver returns it: canonical, perhaps with a zone index."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def parse_literal(host: str) -> Address | None:
    """Parse the host of a URL, in lower case, as an address; None for a name.

    Resolvers accept IPv4 addresses in more spellings than four decimal numbers (`inet_aton`: 0x7f.1, 2130706433).
    """
    return parse_ipv4(host) or parse_address(host)
