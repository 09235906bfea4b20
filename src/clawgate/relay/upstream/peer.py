"""Compares the peer of a new connection with the address that was checked: the kernel's word against ours."""

from __future__ import annotations

import asyncio
from typing import cast

from clawgate.policy.egress.address import parse_address


def check_peer(transport: asyncio.BaseTransport, address: str) -> None:
    """Abort ``transport`` and raise ConnectionAbortedError unless it is connected to ``address``.

    A connection that was reset meanwhile has no peer any more, and cannot be used either.
    """
    peer = transport.get_extra_info("peername")
    if peer is None or parse_address(peer[0]) != parse_address(address):
        cast(asyncio.Transport, transport).abort()
        raise ConnectionAbortedError(f"connected to {peer and peer[0]} instead of {address}")
