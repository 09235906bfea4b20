"""Recognises a peer that is this machine itself, under an address other than loopback.

No packet is sent: connecting a UDP socket only chooses the address that packets would be sent from.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address

_DISCARD = 9


def is_own_address(address: str) -> bool:
    """Whether packets to ``address`` would come from it; also where that cannot be found out (OpenClaw, too)."""
    try:
        parsed = ip_address(address)
        mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
        plain = str(mapped or parsed)
        with socket.socket(socket.AF_INET6 if ":" in plain else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((plain, _DISCARD))
            return bool(probe.getsockname()[0] == plain)
    except (OSError, ValueError):
        return True
