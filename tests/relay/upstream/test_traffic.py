from __future__ import annotations

import asyncio
import contextlib

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


@contextlib.asynccontextmanager
async def connected():  # type: ignore[no-untyped-def]  # a client and its transport
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Peer, "127.0.0.1", 0)
    transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
    try:
        yield transport, client
    finally:
        transport.abort()
        server.close()


def recorded(ends: list[tuple[bool, Traffic]]) -> OnEnd:
    return lambda was_open, traffic: ends.append((was_open, traffic))


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_end_of_a_connection_has_the_bytes_of_both_directions(end: str) -> None:
    ends: list[tuple[bool, Traffic]] = []
    async with connected() as (transport, client):
        watch_end(client, transport, recorded(ends))
        transport.write(b"x" * 70)
        await client.received
        assert ends == []
        getattr(transport, end)()
        assert await client.lost is None, "the protocol learns of its end as before"
    assert ends == [(True, (70, 50))]


async def test_a_connection_that_is_closing_already_has_ended() -> None:
    ends: list[tuple[bool, Traffic]] = []
    async with connected() as (transport, client):
        transport.abort()
        watch_end(client, transport, recorded(ends))
        await client.lost
    assert [was_open for was_open, _ in ends] == [True]


async def test_the_bytes_of_a_transport_without_a_socket_are_not_known() -> None:
    assert traffic_of(asyncio.Transport()) is None
