"""Classifies names before they are resolved: some mean this machine, its network, or metadata wherever they are used.

At a proxy, and where the resolver lies, their addresses are not seen here.
"""

from __future__ import annotations

from clawgate.policy.egress.address import classify, parse_literal
from clawgate.policy.egress.ranges import AddressKind

_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog"})


def host_kind(host: str) -> AddressKind:
    """Return the kind of a URL's host, in lower case, without resolving it; NOT_AN_ADDRESS for any other name."""
    if host in _METADATA_NAMES:
        return AddressKind.METADATA
    if host == "localhost" or host.endswith(".localhost"):
        return AddressKind.LOOPBACK
    address = parse_literal(host)
    return AddressKind.NOT_AN_ADDRESS if address is None else classify(address)
