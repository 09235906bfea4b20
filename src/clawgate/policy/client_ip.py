"""Determines a client's IP address behind reverse proxies, and the key that its failures are counted under.

Invariant: what a header says of the client counts only where the peer is a proxy that the operator configured. Source
of what marks a forwarded request: OpenClaw 2026.9.6, recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from clawgate.errors import ProxyAttributionRequired
from clawgate.policy.headers import Headers

_FORWARDED_FOR = b"x-forwarded-for"
_REAL_IP = b"x-real-ip"
_FORWARDED = frozenset({b"forwarded", _REAL_IP})


def client_key(address: str) -> str:
    """Return what failures are counted under: the IPv4 address (also when mapped into IPv6) or the IPv6 /64."""
    parsed = _address(address)
    if parsed is None:
        return address
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)


def forwarded_names(headers: Headers) -> list[bytes]:
    """Return the headers by which a request says that it was forwarded."""
    return [name for name, _ in headers if name.startswith(b"x-forwarded-") or name in _FORWARDED]


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The reverse proxies whose X-Forwarded-For is trusted; without one X-Real-IP, if ``accepts_real_ip``."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    accepts_real_ip: bool = False

    @classmethod
    def of(cls, texts: Iterable[str], *, accepts_real_ip: bool = False) -> Self:
        """Parse addresses and networks (``172.16.0.0/12``). Raises ValueError for anything else."""
        return cls(tuple(ip_network(text, strict=False) for text in texts), accepts_real_ip)

    def includes(self, peer: str) -> bool:
        return self._contains(_address(peer))

    def check_attribution(self, peer: str, headers: Headers) -> None:
        """Raises `ProxyAttributionRequired` for a forwarded request whose client is not known for certain."""
        names = forwarded_names(headers)
        if names and not self._contains(_address(peer)):
            raise ProxyAttributionRequired(
                f"'{names[0].decode()}' names another client, and {peer} is not a proxy that may do so; add its "
                "address to gateway.trustedProxies, or make it remove the header"
            )
        if names and _FORWARDED_FOR not in names and not (self.accepts_real_ip and _REAL_IP in names):
            raise ProxyAttributionRequired(
                f"the proxy {peer} sends '{names[0].decode()}' without the address of the client; "
                "make it send X-Forwarded-For"
            )

    def forwarded(self, get: Callable[[bytes], bytes | None]) -> bytes | None:
        """Return the header of a request that names its client."""
        named = get(_FORWARDED_FOR)
        return get(_REAL_IP) if named is None and self.accepts_real_ip else named

    def client_ip(self, peer: str, forwarded: bytes | None) -> str:
        """Return ``peer``, or behind a proxy the last address of ``forwarded`` that is not a proxy itself.

        Where that is not an address, the client is unknown and the result is the peer.
        """
        if not self.networks or not self._contains(_address(peer)):
            return peer
        for hop in reversed((forwarded or b"").decode("latin-1").split(",")):
            address = _address(hop)
            if address is None:
                return peer
            if not self._contains(address):
                return str(address)
        return peer

    def _contains(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::[0-9]+)?|(?P<four>[0-9.]+):[0-9]+")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, also with the port that some proxies add; IPv4 in IPv6 becomes IPv4."""
    text = text.strip()
    match = _WITH_PORT.fullmatch(text)
    if match is not None:
        text = match["six"] or match["four"] or ""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed
