"""A listener's life in one process; with real signals it is tried in tests/e2e/test_drain.py."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from clawgate.relay.downstream.server import Server, listen
from tests.e2e.stand import BODY, PATH, PATIENCE, build, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream


def test_a_name_with_several_addresses_is_one_port_on_each() -> None:
    """`localhost` may be two sockets; they share the number."""
    sockets = listen("localhost", 0)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        assert len({sock.family for sock in sockets}) == len(sockets)
    finally:
        for sock in sockets:
            sock.close()


def test_a_taken_port_raises_and_leaves_nothing_open() -> None:
    """EADDRINUSE, as the command line wants to tell it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="in use") as caught:
            listen("127.0.0.1", taken.getsockname()[1])
        assert caught.value.errno == errno.EADDRINUSE


def test_an_address_that_is_not_ours_raises() -> None:
    """TEST-NET-3 is on no machine."""
    with pytest.raises(OSError, match=r"assign|resolve|not known"):
        listen("203.0.113.1", 0)


async def test_stop_drains_and_ends_what_was_kept() -> None:
    """An answer under way comes whole and says close; an idle client is let go; kept work is cancelled."""
    gates = [asyncio.Event() for _ in range(2)]
    gates[0].set()
    kept = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            kept.set()

    async with FakeUpstream(faults.sse_gated(gates)) as upstream:
        role = build("bridge", upstream.url)
        up = asyncio.Event()

        def on_started(host: Server) -> None:
            host.spawn_background(forever())
            up.set()

        host = Server(role.connections, role.app, drain_seconds=30, on_started=on_started)
        sockets = listen("127.0.0.1", 0)
        port = sockets[0].getsockname()[1]
        serving = asyncio.get_running_loop().create_task(host._serve(sockets))
        await asyncio.wait_for(up.wait(), PATIENCE)
        async with (
            await RawClient.open(port=port, limit=PATIENCE) as client,
            await RawClient.open(port=port, limit=PATIENCE) as idle,
        ):
            await client.request(PATH, BODY)
            await client.saw(faults.CHAT_FRAMES[0])
            await until(lambda: role.connections.connection_count == 2, "both to be accepted")
            host.stop()
            await idle.ended()
            assert not serving.done()
            # A request that was already on its way when the stop came is still answered, and is the last.
            gates[1].set()
            assert (await client.response()).complete
            await client.ended()
            await asyncio.wait_for(serving, PATIENCE)
            assert kept.is_set() and role.connections.connection_count == 0
            assert role.upstream.pool.open_count == 0 or role.upstream.pool.idle_count == 0
        with pytest.raises(OSError, match=r"refused|Connect"):
            await RawClient.open(port=port)


async def test_a_request_that_comes_while_draining_is_answered_and_is_the_last() -> None:
    """Within the moment that idle connections are given."""
    async with FakeUpstream(faults.json_response({"n": 1})) as upstream:
        role = build("bridge", upstream.url)
        up = asyncio.Event()
        host = Server(role.connections, role.app, drain_seconds=30, on_started=lambda _: up.set())
        sockets = listen("127.0.0.1", 0)
        port = sockets[0].getsockname()[1]
        serving = asyncio.get_running_loop().create_task(host._serve(sockets))
        await asyncio.wait_for(up.wait(), PATIENCE)
        async with await RawClient.open(port=port, limit=PATIENCE) as client:
            await client.request(PATH, BODY)
            assert (await client.response()).header("connection") is None
            host.stop()
            await until(
                lambda: not any(server.is_serving() for server in host.servers), "the listener to close"
            )
            await client.request(PATH, BODY)
            response = await client.response()
            assert response.json() == {"n": 1} and response.header("connection") == "close"
            await client.ended()
        await asyncio.wait_for(serving, PATIENCE)


async def test_a_request_behind_a_head_that_announced_nothing_is_answered() -> None:
    """The drain began between the head and the body of a response, and its client could not know."""
    rest = asyncio.Event()
    async with FakeUpstream(faults.sse_gated([rest])) as upstream:
        role = build("bridge", upstream.url)
        host = Server(role.connections, role.app, drain_seconds=30)
        sockets = listen("127.0.0.1", 0)
        port = sockets[0].getsockname()[1]
        serving = asyncio.get_running_loop().create_task(host._serve(sockets))
        await until(lambda: host.started, "the listener")
        async with await RawClient.open(port=port, limit=PATIENCE) as client:
            await client.request(PATH, BODY)
            await client.saw(b"\r\n\r\n")
            host.stop()
            await until(lambda: not host.servers[0].is_serving(), "the drain")
            rest.set()
            response = await client.response()
            assert response.complete and response.header("connection") is None
            await client.request(PATH, BODY)
            response = await client.response()
            assert response.complete and response.header("connection") == "close"
            await client.ended()
        await asyncio.wait_for(serving, PATIENCE)


async def test_what_runs_without_its_client_is_drained_too() -> None:
    """Up to the same limit."""
    async with FakeUpstream() as upstream:
        role = build("bridge", upstream.url)
        running = [1]
        role.connections.detached_count = lambda: len(running)
        host = Server(role.connections, role.app, drain_seconds=PATIENCE)
        serving = asyncio.get_running_loop().create_task(host._serve(listen("127.0.0.1", 0)))
        await until(lambda: host.started, "the listener")
        host.stop()
        await until(lambda: role.connections.draining and not host.servers[0].is_serving(), "the drain")
        for _ in range(3):
            await asyncio.sleep(0)
        assert not serving.done()
        running.clear()
        await asyncio.wait_for(serving, PATIENCE)
