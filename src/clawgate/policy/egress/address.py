"""Classifies an address by what it means: by the IPv4 addresses inside an IPv6 one, in every spelling of a literal.

Which embedded addresses are unwrapped and which are refused whole: decision 0040.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from clawgate.policy.egress.ranges import ROWS, Address, AddressKind, range_kind
from clawgate.wire.http.host import parse_ipv4

_IN_THE_LAST_BITS = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "::/96")))
"""IPv4-mapped, NAT64, IPv4-compatible."""
_6TO4 = IPv6Network("2002::/16")
_ISATAP = 0x00005EFE
_ISATAP_MASK = 0xFCFFFFFF  # both values of the u and g bits (RFC 5214 section 6.1, RFC 4291 appendix A)
_METADATA = frozenset(
    int(row.network.network_address)
    for row in ROWS
    if row.kind is AddressKind.METADATA and row.network.version == 4
)
_NO_HOST = 0xFFFF  # :: and ::1 are no IPv4-compatible addresses, nor are those beside them
_WORST_FIRST = (
    AddressKind.METADATA,
    AddressKind.LINK_LOCAL,
    AddressKind.SPECIAL,
    AddressKind.LOOPBACK,
    AddressKind.PRIVATE,
    AddressKind.PUBLIC,
)


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to ``address`` end at; None where there is none.

    Mapped, compatible, NAT64 of the well-known prefix, 6to4.
    """
    number = int(address)
    if number > _NO_HOST and any(address in network for network in _IN_THE_LAST_BITS):
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    return None


def isatap_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address of an ISATAP interface, under any prefix (RFC 5214); None where there is none."""
    number = int(address)
    return IPv4Address(number & 0xFFFFFFFF) if (number >> 32) & _ISATAP_MASK == _ISATAP else None


def meanings(address: Address) -> tuple[Address, ...]:
    """Return every address that ``address`` stands for: the embedded one in its place, that of ISATAP beside it."""
    if isinstance(address, IPv4Address):
        return (address,)
    tunnel = isatap_ipv4(address)
    return (embedded_ipv4(address) or address, *(() if tunnel is None else (tunnel,)))


def classify(address: Address) -> AddressKind:
    """Return the kind of ``address``, the worst one of its meanings."""
    if isinstance(address, IPv6Address) and not _METADATA.isdisjoint(_translated(int(address))):
        return AddressKind.METADATA
    kinds = [range_kind(one) for one in meanings(address)]
    return min(kinds, key=_WORST_FIRST.index)


def _translated(number: int) -> Iterator[int]:
    """Yield what NAT64 makes of an address, under a prefix of each length (RFC 6052 section 2.2).

    A network may have a prefix of its own, which is not known here; its metadata addresses are refused all the same.
    Bits 64 to 71 are left out.
    """
    yield number & 0xFFFFFFFF
    for length in (32, 40, 48, 56, 64):
        low = length - 32
        yield ((number >> 64) & ((1 << (32 - low)) - 1)) << low | (number >> (56 - low)) & ((1 << low) - 1)


def parse_address(text: str) -> Address | None:
    """Parse an address as a resolver returns it: canonical, perhaps with a zone index, which is dropped."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def parse_literal(host: str) -> Address | None:
    """Parse the host of a URL, in lower case, as an address in any spelling; None for a name."""
    return parse_ipv4(host) or parse_address(host)
