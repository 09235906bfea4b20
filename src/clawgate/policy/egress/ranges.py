"""The table of addresses that are not public, each row with its source.

===========  ==========================================  =============================
kind         such as                                     dialled
===========  ==========================================  =============================
public       8.8.8.8, 2606:4700::1111                    always
loopback     127.0.0.1, ::1, ::ffff:127.0.0.1            only where allowed
private      10.0.0.1, 100.64.0.1, fc00::1               only where allowed
link_local   169.254.1.1, fe80::1                        never
metadata     169.254.169.254, fd00:ec2::254              never
special_use  0.0.0.0, 224.0.0.1, 2001:db8::1, ff02::1    never
===========  ==========================================  =============================

The table is our own: `ipaddress.is_global` calls NAT64 of a metadata address and multicast global, and differs
between Python versions. Sources: IANA special-purpose address registries (IPv4, IPv6); for the metadata addresses
the instance metadata pages of AWS (with ECS and EKS Pod Identity), Google Cloud and Azure, OCI's Python SDK, and
cloud-init's data sources for Alibaba Cloud, Akamai and Scaleway.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address


class AddressKind(StrEnum):
    """The kind of an address, or of a host before it is resolved."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    SPECIAL = "special_use"
    NOT_AN_ADDRESS = "not_an_address"


NEVER_ALLOWED = frozenset({AddressKind.METADATA, AddressKind.LINK_LOCAL, AddressKind.SPECIAL})
"""Addresses of these kinds stay blocked whatever is configured."""
PRIVATE_KINDS = frozenset({AddressKind.LOOPBACK, AddressKind.PRIVATE})
"""Addresses of these kinds are dialled where a setting allows it."""


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_METADATA = _networks(
    "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
    "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128", "fd00:a9fe:a9fe::1/128",
    "fd00:100::100:200/128",
)  # fmt: skip
_LINK_LOCAL = _networks("169.254.0.0/16", "fe80::/10")
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_SPECIAL = _networks(
    "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "2001::/23", "2001:db8::/32", "3fff::/20",
)  # fmt: skip
_GLOBAL_UNICAST = IPv6Network("2000::/3")


def range_kind(address: Address) -> AddressKind:
    """Return the kind of ``address`` by the table alone; what it embeds is looked at by `classify`."""
    for kind, networks in (
        (AddressKind.METADATA, _METADATA),
        (AddressKind.LINK_LOCAL, _LINK_LOCAL),
        (AddressKind.LOOPBACK, _LOOPBACK),
        (AddressKind.PRIVATE, _PRIVATE),
        (AddressKind.SPECIAL, _SPECIAL),
    ):
        if any(address in network for network in networks):
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return AddressKind.SPECIAL
    return AddressKind.PUBLIC
