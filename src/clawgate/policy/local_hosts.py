"""Recognises hosts that mean this machine: loopback addresses and names, and wildcard addresses of listeners."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # compared with, never listened on
"""Addresses of a listener that accepts on every interface."""
_LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``: an address (with brackets or a zone index, too) or ``localhost``."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


def connectable(host: str) -> str:
    """Return the host that a client on this machine connects to, for a listener on ``host``."""
    return _LOOPBACK_OF_WILDCARD.get(host, host)
