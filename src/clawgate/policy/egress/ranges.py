"""The table of addresses that are not public, one row per entry of IANA's registries, each with its source.

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
between Python versions. The row with the longest prefix decides. Entries that IANA calls globally reachable are public,
but for anycast addresses of one protocol, on which no server of models is.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


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


class Row(NamedTuple):
    network: Network
    kind: AddressKind
    source: str


_ROWS = """
0.0.0.0/8            special_use  this network, RFC 791
0.0.0.0/32           special_use  this host, RFC 1122
10.0.0.0/8           private      private use, RFC 1918
100.64.0.0/10        private      shared by carriers, RFC 6598
127.0.0.0/8          loopback     RFC 1122
169.254.0.0/16       link_local   RFC 3927
172.16.0.0/12        private      private use, RFC 1918
192.0.0.0/24         special_use  IETF protocol assignments, RFC 6890
192.0.0.0/29         special_use  IPv4 service continuity, RFC 7335
192.0.0.8/32         special_use  dummy address, RFC 7600
192.0.0.9/32         special_use  Port Control Protocol anycast, RFC 7723
192.0.0.10/32        special_use  TURN anycast, RFC 8155
192.0.0.170/32       special_use  NAT64 discovery, RFC 8880
192.0.0.171/32       special_use  NAT64 discovery, RFC 8880
192.0.2.0/24         special_use  TEST-NET-1, RFC 5737
192.31.196.0/24      public       AS112, RFC 7535, globally reachable
192.52.193.0/24      public       AMT, RFC 7450, globally reachable
192.88.99.0/24       special_use  6to4 relay anycast, RFC 7526
192.168.0.0/16       private      private use, RFC 1918
192.175.48.0/24      public       AS112, RFC 7534, globally reachable
198.18.0.0/15        special_use  benchmarking, RFC 2544
198.51.100.0/24      special_use  TEST-NET-2, RFC 5737
203.0.113.0/24       special_use  TEST-NET-3, RFC 5737
224.0.0.0/4          special_use  multicast, RFC 5771
240.0.0.0/4          special_use  reserved, RFC 1112
255.255.255.255/32   special_use  limited broadcast, RFC 919
::/0                 special_use  outside 2000::/3 nothing is global unicast, IANA IPv6 address space
::/128               special_use  unspecified, RFC 4291
::1/128              loopback     RFC 4291
::/96                special_use  IPv4-compatible, deprecated, RFC 4291
::ffff:0:0/96        special_use  IPv4-mapped, RFC 4291
::ffff:0:0:0/96      special_use  IPv4-translated, RFC 2765
64:ff9b::/96         special_use  NAT64, RFC 6052
64:ff9b:1::/48       special_use  NAT64 of a local network, RFC 8215
100::/64             special_use  discard only, RFC 6666
100:0:0:1::/64       special_use  dummy prefix, RFC 9780
2000::/3             public       global unicast, RFC 4291
2001::/23            special_use  IETF protocol assignments, RFC 2928
2001::/32            special_use  Teredo, RFC 4380
2001:1::1/128        special_use  Port Control Protocol anycast, RFC 7723
2001:1::2/128        special_use  TURN anycast, RFC 8155
2001:1::3/128        special_use  service registration anycast, RFC 9665
2001:2::/48          special_use  benchmarking, RFC 5180
2001:3::/32          special_use  AMT, RFC 7450
2001:4:112::/48      special_use  AS112, RFC 7535
2001:10::/28         special_use  ORCHID, deprecated, RFC 4843
2001:20::/28         special_use  ORCHIDv2, RFC 7343
2001:30::/28         special_use  remote identification of drones, RFC 9374
2001:db8::/32        special_use  documentation, RFC 3849
2002::/16            special_use  6to4, RFC 3056
2620:4f:8000::/48    public       AS112, RFC 7534, globally reachable
3fff::/20            special_use  documentation, RFC 9637
5f00::/16            special_use  segment routing, RFC 9602
fc00::/7             private      unique local, RFC 4193
fe80::/10            link_local   RFC 4291
fec0::/10            special_use  site-local, deprecated, RFC 3879
ff00::/8             special_use  multicast, RFC 4291
169.254.169.254/32   metadata     AWS, Google Cloud, Azure, Oracle, DigitalOcean, Hetzner, OpenStack and others
169.254.170.2/32     metadata     AWS, credentials of ECS tasks
169.254.170.23/32    metadata     AWS, credentials of EKS pods
169.254.42.42/32     metadata     Scaleway
169.254.0.23/32      metadata     Tencent Cloud
169.254.10.10/32     metadata     Tencent Cloud
100.100.100.200/32   metadata     Alibaba Cloud
100.96.0.96/32       metadata     Volcengine
168.63.129.16/32     metadata     Azure, the host's agent
192.0.0.192/32       metadata     Oracle Cloud, classic
fd00:ec2::/32        metadata     AWS: ::254 of instances, ::23 of EKS pods, ::253 of DNS
fd20:ce::254/128     metadata     Google Cloud
fd00:c1::a9fe:a9fe/128     metadata  Oracle Cloud
fd00:42::42/128            metadata  Scaleway
fd00:a9fe:a9fe::1/128      metadata  Akamai (Linode)
fd00:100::100:200/128      metadata  Alibaba Cloud
fe80::a9fe:a9fe/128        metadata  OpenStack
"""
"""Sources: IANA's special-purpose address registries of IPv4 and IPv6 (those rows are in its order), its registries of
multicast and of the IPv6 address space; below them the metadata pages of each vendor, OCI's Python SDK, and the data
sources of cloud-init."""

ROWS = tuple(
    Row(ip_network(network), AddressKind(kind), source)
    for network, kind, source in (line.split(maxsplit=2) for line in _ROWS.strip().splitlines())
)
_BY_VERSION = {
    version: sorted(
        (row for row in ROWS if row.network.version == version), key=lambda row: -row.network.prefixlen
    )
    for version in (4, 6)
}
_PREFIXES = {
    version: [
        (
            shift := row.network.max_prefixlen - row.network.prefixlen,
            int(row.network.network_address) >> shift,
            row.kind,
        )
        for row in rows
    ]
    for version, rows in _BY_VERSION.items()
}
"""The same as numbers, which are compared ten times as fast."""


def range_kind(address: Address) -> AddressKind:
    """Return the kind of ``address`` by the table alone; what it embeds is looked at by `classify`."""
    number = int(address)
    for shift, prefix, kind in _PREFIXES[address.version]:
        if number >> shift == prefix:
            return kind
    return AddressKind.PUBLIC


def is_never_allowed(network: Network) -> bool:
    """Return whether all of ``network`` is of a kind that stays blocked."""
    around = (
        row.kind
        for row in _BY_VERSION[network.version]
        if 0 < row.network.prefixlen <= network.prefixlen and network.network_address in row.network
    )
    return next(around, AddressKind.PUBLIC) in NEVER_ALLOWED
