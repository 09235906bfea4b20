"""Whose address does a request come from, and under which name are its failures counted?

Forwarded addresses count only where a reverse proxy wrote them that the operator has named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self


def client_key(address: str) -> str:
    """Whom failures are counted against: the IPv4 address (also when mapped into IPv6) or the IPv6 /64."""
    parsed = _address(address)
    if parsed is None:
        return address
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The reverse proxies whose word on a client's address is believed."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """From addresses and networks (``172.16.0.0/12``); raises ValueError for anything else."""
        return cls(tuple(ip_network(text, strict=False) for text in texts))

    def client_behind(self, peer: str, forwarded: bytes | None) -> str:
        """Whose request it is: ``peer``, or behind a proxy the last address of X-Forwarded-For that is not one itself.

        Where that is no address, nobody knows, and the peer answers for it.
        """
        if not self.networks or not self._holds(_address(peer)):
            return peer
        for hop in reversed((forwarded or b"").decode("latin-1").split(",")):
            address = _address(hop)
            if address is None:
                return peer
            if not self._holds(address):
                return str(address)
        return peer

    def _holds(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::[0-9]+)?|(?P<four>[0-9.]+):[0-9]+")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also with the port that some proxies add; IPv4 in IPv6 as what it is."""
    text = text.strip()
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        text = found["six"] or found["four"] or ""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed
