"""The operator's rules about networks: what is allowed or denied to all, and placeholders of a fake-IP DNS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network

from clawgate.policy.egress.names import host_kind, host_pattern, matches_host
from clawgate.policy.egress.ranges import (
    NEVER_ALLOWED,
    Address,
    AddressKind,
    Network,
    is_never_allowed,
    range_kind,
)

FAKE_IP_RANGE = IPv4Network("198.18.0.0/15")
"""The default of Clash, Surge, sing-box and Xray."""
_SHORTEST_FAKE_PREFIX = 7
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
"""Its addresses are connected to as loopback (RFC 1122 section 3.2.1.3)."""
_MAPPED = 96
_FORMS = "a range such as 10.0.0.0/8, an address, a host, *.host, or host:port"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``network.allow`` or ``network.deny``; ``host`` is a name or ``*.name``, empty for a range."""

    text: str
    network: Network | None = None
    host: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Raises ValueError."""
        if "://" in text:
            raise ValueError(f"'{text}' is a URL; write its host alone, or host:port")
        if "/" in text:
            return cls(text, network=parse_network(text))
        if text in ("*", "*."):
            raise ValueError(f"'{text}' is no host; use {_FORMS}")
        host, port = _split_port(text)
        try:
            host = host_pattern(host)
        except ValueError:
            raise ValueError(f"'{text}' is neither of these: {_FORMS}") from None
        try:
            address = ip_address(host.removeprefix("*."))
        except ValueError:
            return cls(text, host=host, port=port)
        if host.startswith("*."):
            raise ValueError(f"'{text}' is an address with a wildcard; use a range such as 10.0.0.0/8")
        return cls(text, network=_unmapped(ip_network(address)), port=port)

    @property
    def opens_nothing(self) -> bool:
        """Whether everything that it names is never dialled, so that it cannot be allowed."""
        if self.network is not None:
            return is_never_allowed(self.network)
        return host_kind(self.host) in NEVER_ALLOWED

    def matches(self, host: str, port: int, addresses: Sequence[Address]) -> bool:
        """Return whether it names ``host`` at ``port``, or one of the ``addresses`` that are known of it."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return matches_host(host, (self.host,))
        return any(address in self.network for address in addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeIp:
    """A DNS that returns placeholders from ``ranges``: for the hosts of providers, and ``hosts`` (or ``*.host``)."""

    ranges: tuple[Network, ...] = (FAKE_IP_RANGE,)
    hosts: tuple[str, ...] = ()

    def covers(self, addresses: Sequence[Address]) -> bool:
        return any(address in network for address in addresses for network in self.ranges)


def parse_network(text: str) -> Network:
    """Raises ValueError."""
    try:
        return _unmapped(ip_network(text))
    except ValueError:
        pass
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"'{text}' is no range of addresses; use one such as 10.0.0.0/8 or fd00::/8"
        ) from None
    raise ValueError(f"'{text}' is an address within a range; did you mean '{network}'?")


def parse_fake_range(text: str) -> Network:
    """Return a range of placeholders: of private or reserved addresses. Raises ValueError."""
    network = parse_network(text)
    kinds = {range_kind(address) for address in (network.network_address, network.broadcast_address)}
    is_this_machine = network.network_address.is_unspecified or network.network_address in _THIS_NETWORK
    if (
        not kinds <= {AddressKind.PRIVATE, AddressKind.SPECIAL}
        or network.prefixlen < _SHORTEST_FAKE_PREFIX
        or is_this_machine
    ):
        raise ValueError(
            f"'{text}' is no range of placeholders; use the one of your DNS, such as {FAKE_IP_RANGE}"
        )
    return network


def _unmapped(network: Network) -> Network:
    """Return the IPv4 network that an IPv4-mapped one means."""
    if (
        isinstance(network, IPv4Network)
        or network.prefixlen < _MAPPED
        or network.network_address.ipv4_mapped is None
    ):
        return network
    return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED))


def _split_port(text: str) -> tuple[str, int | None]:
    """Split ``host:port``. An IPv6 address has a port only behind brackets. Raises ValueError for what is no port."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        return text, None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise ValueError(f"'{text}' has no port between 1 and 65535 behind its colon")
    return host, int(port)
