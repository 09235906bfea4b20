"""Watches an upstream connection for its end, and learns then how many bytes it had: the kernel has counted them.

Must not cost anything while bytes pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable

Traffic = tuple[int, int] | None
"""Bytes that were sent and received, TLS and its handshake included; None where they are not known."""

OnEnd = Callable[[bool, Traffic], None]
"""Called once, at the end of a connection; first whether it was ever open."""

_LINUX = sys.platform == "linux"
_COUNTERS = struct.Struct("=120xQQ")
"""``tcpi_bytes_acked`` and ``tcpi_bytes_received`` of linux/tcp.h, since Linux 4.1."""
_INFO_BYTES = 136


class _Connection:
    """One connection that is open. Over TLS the loop closes its socket before its protocol learns of the end.

    So there the counters are read from a second descriptor; the peer sees the end when that is closed, too.
    """

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._second = -1
        if _LINUX and transport.get_extra_info("sslcontext") is not None:
            with contextlib.suppress(OSError):  # no descriptor is free: the bytes stay unknown
                self._second = os.dup(transport.get_extra_info("socket").fileno())

    def end(self) -> Traffic:
        second, self._second = self._second, -1
        if second >= 0:
            with socket.socket(fileno=second) as sock:
                return _traffic(sock)
        return _traffic(self._transport.get_extra_info("socket"))


def _traffic(sock: socket.socket | None) -> Traffic:
    if sock is None or not _LINUX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return None
    if len(info) < _INFO_BYTES:  # Linux before 4.1, gVisor
        return None
    acknowledged, received = _COUNTERS.unpack(info)
    return max(acknowledged - 1, 0), received  # the SYN counts as one


def watch_end(protocol: asyncio.Protocol, on_end: OnEnd) -> None:
    """Call ``on_end`` when the connection that ``protocol`` is made for ends, before it learns of that."""
    made, lost = protocol.connection_made, protocol.connection_lost
    opened: list[_Connection] = []

    def connection_made(transport: asyncio.BaseTransport) -> None:
        opened.append(_Connection(transport))
        made(transport)

    def connection_lost(error: Exception | None) -> None:
        on_end(bool(opened), opened[0].end() if opened else None)
        lost(error)

    with contextlib.suppress(AttributeError):  # a class with slots: its end is not known
        protocol.connection_made = connection_made  # type: ignore[method-assign]  # of this one alone, as the next
        protocol.connection_lost = connection_lost  # type: ignore[method-assign,assignment]
