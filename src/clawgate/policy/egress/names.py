"""Classifies names before they are resolved: some mean this machine, its network, or metadata wherever they are used.

At a proxy, and where the resolver lies, their addresses are not seen here.
"""

from __future__ import annotations

from collections.abc import Iterable

from clawgate.policy.egress.address import classify, parse_literal
from clawgate.policy.egress.ranges import AddressKind
from clawgate.wire.http.host import parse_host

_METADATA_NAMES = frozenset({
    "metadata", "metadata.goog", "metadata.google.internal",  # Google Cloud
    "instance-data", "instance-data.ec2.internal",  # AWS
    "metadata.azure.com", "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.packet.net", "metadata.platformequinix.com",
    "api.metadata.cloud.ibm.com",
    "rancher-metadata",
})  # fmt: skip
_LOOPBACK_NAMES = frozenset({"localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"})
"""RFC 6761, and what /etc/hosts of Debian and Red Hat have."""
_LOCAL_DOMAINS = frozenset({"localdomain", "localdomain4", "localdomain6"})
_PRIVATE_DOMAINS = frozenset({"local", "internal"}) | _LOCAL_DOMAINS
"""Multicast DNS (RFC 6762), and the name that ICANN reserved for private use in 2024."""


def host_kind(host: str) -> AddressKind:
    """Return the kind of a URL's host, in lower case, without resolving it; NOT_AN_ADDRESS for any other name."""
    address = parse_literal(host)
    if address is not None:
        return classify(address)
    first, _, domain = host.removesuffix(".").rpartition(".")
    if host.removesuffix(".") in _METADATA_NAMES:
        return AddressKind.METADATA
    if domain in _LOOPBACK_NAMES or (first in _LOOPBACK_NAMES and domain in _LOCAL_DOMAINS):
        return AddressKind.LOOPBACK
    return AddressKind.PRIVATE if domain in _PRIVATE_DOMAINS else AddressKind.NOT_AN_ADDRESS


def host_pattern(text: str) -> str:
    """Return a host, or ``*.host`` for all below it, in the one spelling that hosts have. Raises ValueError."""
    host = text.removeprefix("*.")
    host = parse_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
    return f"*.{host}" if text.startswith("*.") else host


def matches_host(host: str, patterns: Iterable[str]) -> bool:
    """Return whether ``host`` is one of ``patterns`` (of `host_pattern`), or below one that is ``*.name``."""
    plain = (pattern.lower().removesuffix(".") for pattern in patterns)
    return any(host.endswith(one[1:]) if one.startswith("*.") else host == one for one in plain)
