from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from clawgate.relay.upstream.traffic import OnEnd, Traffic, watch_end
from tests.peers.throwaway_ca import Throwaway, make_throwaway

LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.received = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


class Peer(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"y" * 50)  # type: ignore[attr-defined]  # a transport that writes


def recorded(ends: list[tuple[bool, Traffic]]) -> OnEnd:
    return lambda was_open, traffic: ends.append((was_open, traffic))


def watched(ends: list[tuple[bool, Traffic]]) -> Client:
    client = Client()
    watch_end(client, recorded(ends))
    return client


async def exchange(end: str, tls: Throwaway | None = None) -> tuple[Traffic, Exception | None]:
    """Send 70 bytes, receive 50, end the connection, and return its bytes and what its peer saw of the end."""
    ends: list[tuple[bool, Traffic]] = []
    loop = asyncio.get_running_loop()
    peer = Peer()
    server = await loop.create_server(lambda: peer, "127.0.0.1", 0, ssl=tls.server if tls else None)
    address = server.sockets[0].getsockname()
    transport, client = await loop.create_connection(
        lambda: watched(ends), *address, ssl=tls.client if tls else None
    )
    transport.write(b"x" * 70)
    await client.received
    assert ends == []
    getattr(transport, end)()
    assert await client.lost is None, "the protocol learns of its end as before"
    seen = await peer.lost
    server.close()
    ((was_open, traffic),) = ends
    assert was_open
    return traffic, seen


@LOOPS
@pytest.mark.parametrize("end", ["close", "abort"])
def test_the_end_of_a_connection_has_the_bytes_of_both_directions(
    end: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(exchange(end)) == ((70, 50), None)


@LOOPS
@pytest.mark.parametrize("end", ["close", "abort"])
def test_the_bytes_of_tls_are_known_and_its_peer_sees_the_end(
    end: str, loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    files = len(list(Path("/proc/self/fd").iterdir()))
    with asyncio.Runner(loop_factory=loop) as runner:
        traffic, _ = runner.run(exchange(end, make_throwaway(tmp_path)))
    assert traffic is not None and traffic[0] > 70 and traffic[1] > 50, "with the handshake"
    assert len(list(Path("/proc/self/fd").iterdir())) == files


async def test_without_a_free_descriptor_the_bytes_of_tls_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_free(fd: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", none_is_free)
    traffic, _ = await exchange("close", make_throwaway(tmp_path))
    assert traffic is None


async def test_a_connection_that_was_lost_before_it_was_made_was_never_open() -> None:
    """As after a TLS handshake that failed."""
    ends: list[tuple[bool, Traffic]] = []
    watched(ends).connection_lost(None)
    assert ends == [(False, None)]


@pytest.mark.parametrize("sock", [None, "Short"])
async def test_the_bytes_are_not_known_without_a_socket_and_where_the_kernel_returns_less(
    sock: str | None,
) -> None:
    """As Linux before 4.1, and gVisor."""

    class Short:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            return bytes(104)

    ends: list[tuple[bool, Traffic]] = []
    client = watched(ends)
    client.connection_made(asyncio.Transport({"socket": sock and Short()}))
    client.connection_lost(None)
    assert ends == [(True, None)]
