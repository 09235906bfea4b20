from __future__ import annotations

import asyncio

import pytest

from clawgate.relay.upstream.traffic import OnEnd, Traffic, traffic_of, watch_end


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.received = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


class Peer(asyncio.Protocol):
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


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_end_of_a_connection_has_the_bytes_of_both_directions(end: str) -> None:
    ends: list[tuple[bool, Traffic]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Peer, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    transport, client = await loop.create_connection(lambda: watched(ends), *address)
    transport.write(b"x" * 70)
    await client.received
    assert ends == []
    getattr(transport, end)()
    assert await client.lost is None, "the protocol learns of its end as before"
    server.close()
    assert ends == [(True, (70, 50))]


async def test_a_connection_that_was_lost_before_it_was_made_was_never_open() -> None:
    """As after a TLS handshake that failed."""
    ends: list[tuple[bool, Traffic]] = []
    watched(ends).connection_lost(None)
    assert ends == [(False, None)]


async def test_the_bytes_of_a_transport_without_a_socket_are_not_known() -> None:
    assert traffic_of(asyncio.Transport()) is None


async def test_the_bytes_are_not_known_where_the_kernel_returns_less() -> None:
    """As Linux before 4.1, and gVisor."""

    class Short:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            return bytes(104)

    assert traffic_of(asyncio.Transport({"socket": Short()})) is None
