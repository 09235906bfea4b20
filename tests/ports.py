"""Ports for programs that a test starts: nobody listens there, every client connects to them, nobody else gets them.

A port that was bound to 0 and let go can be anybody's a moment later, where tests run side by side. These lie below
the range that the kernel takes from, and every test process has a stretch of its own, held by a guard on its first.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
from collections.abc import Iterator

from clawgate.cli.listener import BLOCKED_PORTS

_FIRST, _LAST, _STRETCH = 10_000, 18_700, 60


@functools.cache
def _own_stretch() -> tuple[socket.socket, Iterator[int]]:
    for first in range(_FIRST, _LAST, _STRETCH):
        with contextlib.suppress(OSError):
            guard = socket.create_server(("127.0.0.1", first), reuse_port=False)
            return guard, itertools.cycle(range(first + 1, first + _STRETCH))
    raise AssertionError("every stretch of ports is taken")


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row."""
    _, ports = _own_stretch()
    row: list[int] = []
    for port in itertools.islice(ports, 2 * _STRETCH):
        if row and port != row[-1] + 1:
            row.clear()
        row = [*row, port] if _is_free(port) else []
        if len(row) == count:
            return row[0]
    raise AssertionError(f"no {count} free ports in a row")


def free_port() -> int:
    """One port."""
    return free_ports(1)


def _is_free(port: int) -> bool:
    if port in BLOCKED_PORTS:  # Node would not connect to it
        return False
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
