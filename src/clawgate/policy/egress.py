"""Decides whether an IP address may be dialled, with the reason.

Must not decide by names: a name is resolved first, and every resolved address is checked.

===========  ==========================================  =============================
kind         such as                                     dialled
===========  ==========================================  =============================
public       8.8.8.8, 2606:4700::1111                    always
loopback     127.0.0.1, ::1, ::ffff:127.0.0.1            only with ``allow_private``
private      10.0.0.1, 100.64.0.1, fc00::1               only with ``allow_private``
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

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from clawgate.errors import EgressDenied, PrivateNetworkBlocked

Address = IPv4Address | IPv6Address


class Reason(StrEnum):
    """The kind of an address, and why a decision was made."""

    PUBLIC = "public"
    TRUSTED_ORIGIN = "trusted_origin"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    SPECIAL = "special_use"
    NOT_AN_ADDRESS = "not_an_address"


NEVER_ALLOWED = frozenset({Reason.METADATA, Reason.LINK_LOCAL, Reason.SPECIAL})
"""Addresses of these kinds stay blocked whatever is configured."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an address may be dialled, and why."""

    allowed: bool
    reason: Reason


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_METADATA = _networks(
    "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
    "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128", "fd00:a9fe:a9fe::1/128",
    "fd00:100::100:200/128",
)  # fmt: skip
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog"})
_LINK_LOCAL = _networks("169.254.0.0/16", "fe80::/10")
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_SPECIAL = _networks(
    "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "2001::/23", "2001:db8::/32", "3fff::/20",
)  # fmt: skip
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_IPV4_PARTS = 4
_NUMBER = re.compile(r"0x[0-9a-f]{1,8}|0[0-7]{0,11}|[1-9][0-9]{0,9}", re.ASCII)

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


def classify(address: Address) -> Reason:
    """Return the kind of ``address``; of an embedded IPv4 address, the kind of that one."""
    if isinstance(address, IPv6Address):
        inner = embedded_ipv4(address)
        if inner is not None:
            return classify(inner)
    for reason, networks in (
        (Reason.METADATA, _METADATA),
        (Reason.LINK_LOCAL, _LINK_LOCAL),
        (Reason.LOOPBACK, _LOOPBACK),
        (Reason.PRIVATE, _PRIVATE),
        (Reason.SPECIAL, _SPECIAL),
    ):
        if any(address in network for network in networks):
            return reason
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Reason.SPECIAL
    return Reason.PUBLIC


def decide(address: Address, *, allow_private: bool) -> Decision:
    """Decide whether ``address`` may be dialled.

    ``allow_private`` is set where the operator configured exactly this scheme, host and port; it opens loopback and
    private networks. `NEVER_ALLOWED` stays blocked.
    """
    reason = classify(address)
    if reason is Reason.PUBLIC:
        return Decision(True, reason)
    if allow_private and reason in (Reason.LOOPBACK, Reason.PRIVATE):
        return Decision(True, Reason.TRUSTED_ORIGIN)
    return Decision(False, reason)


def decide_text(text: str, *, allow_private: bool) -> Decision:
    """Decide as `decide` for an address in text, as a resolver returns it; a zone index is dropped first."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return Decision(False, Reason.NOT_AN_ADDRESS)
    return decide(address, allow_private=allow_private)


def classify_host(host: str) -> Reason:
    """Return the kind of a URL's host, in lower case, without resolving it; NOT_AN_ADDRESS for a name.

    Resolvers accept IPv4 addresses in more spellings than four decimal numbers (`inet_aton`: 0x7f.1, 2130706433), and
    some names are metadata wherever they are resolved, also at a proxy, whose resolved addresses are not seen here.
    """
    if host in _METADATA_NAMES:
        return Reason.METADATA
    address = _parse_ipv4(host)
    return classify(address) if address is not None else decide_text(host, allow_private=False).reason


def denied(target: object, address: str, reason: Reason, setting: str) -> EgressDenied:
    """Return the error for an ``address`` of ``target``; ``setting`` is the key path that would allow a private one."""
    if setting and reason in (Reason.LOOPBACK, Reason.PRIVATE):
        return PrivateNetworkBlocked(
            f"{target}: {address} is a {reason} address, which its configuration does not allow; "
            f"set {setting} to true if this is your own server"
        )
    return EgressDenied(
        f"{target}: {address} must not be dialled ({reason}); configure an upstream at another address"
    )


def _parse_ipv4(host: str) -> IPv4Address | None:
    """Parse one to four numbers, decimal, octal or hexadecimal, of which the last fills the remaining bytes."""
    parts = host.split(".")
    if len(parts) > _IPV4_PARTS or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    *first, last = [int(part, 16 if part[:2] == "0x" else 8 if part[0] == "0" else 10) for part in parts]
    if any(number > 0xFF for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(number << (24 - 8 * at) for at, number in enumerate(first)) + last)
