"""WebSockets on real connections: floods, clients that do not read, TLS, the end of the process, and memory."""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.process_clock import memory_kb
from tests.cli.gateway_home import TOKEN, Home
from tests.control.websocket.fake_socket import connect, request
from tests.e2e.certificates import Authority
from tests.e2e.stand import until
from tests.e2e.websocket_stand import UNKNOWN, EchoStand, RawSocket, serving_echo
from tests.relay.websocket_frames import CLOSE, PING, PONG, TEXT, close, frame, frames_of

SOCKETS = 2_000
MOST_KB = 60
"""Of memory for one idle socket."""


async def echoed(client: RawSocket, text: bytes = b"hello") -> bool:
    client.writer.write(frame(TEXT, text))
    return await client.frame() == (TEXT, text)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
async def test_a_flood_of_idle_upgrades_leaves_a_client_of_another_address_alone() -> None:
    async with serving_echo(EchoStand()) as stand:
        flood = [await stand.client(UNKNOWN, local="127.0.0.2") for _ in range(500)]
        held = [client for client in flood if client.is_open]
        assert all(client.is_open or client.head.startswith(b"HTTP/1.1 429 ") for client in flood)
        good = await stand.client()
        assert good.is_open and await echoed(good)
        alive = sum("closed" not in handler.log[-1] for handler in stand.handlers[:-1])
        assert alive <= 32 < len(flood) and len(held) < 250
        for client in (*flood, good):
            await client.close()


async def test_a_client_that_does_not_read_delays_no_other_and_is_dropped() -> None:
    """64 MB wait for it, more than may: it is closed, and others have their turn meanwhile."""
    now = 0.0
    async with serving_echo(EchoStand(clock=lambda: now)) as stand:
        slow, other = await stand.client(), await stand.client()
        slow.reader._limit = 1  # type: ignore[attr-defined]  # stops reading at once
        handler = stand.handlers[0]
        text = b"x" * 2**20
        for sent in range(200):
            handler.socket.send(text)
            assert await echoed(other, b"%d" % sent)
            if handler.log[-1].startswith("closed"):
                break
        await until(lambda: handler.log[-1] == "closed 1008 slow consumer", "the slow client to be closed")
        assert 50 <= sent < 100, "what the kernel takes for the client, and the limit"
        now += 5
        await until(lambda: stand.connections.connection_count == 1, "the slow client to be dropped")
        assert await echoed(other)
        for client in (slow, other):
            await client.close()


async def test_a_message_of_the_longest_kind_passes_both_ways() -> None:
    text = b"0123456789abcdef" * (25 * 2**16)
    async with serving_echo(EchoStand()) as stand:
        client = await stand.client()
        mask = b"\x00" * 4
        client.writer.write(struct.pack("!BBQ", 0x81, 0xFF, len(text)) + mask + text)
        assert await client.frame() == (TEXT, text)
        await client.close()


async def test_frames_behind_a_close_frame_do_not_break_its_return() -> None:
    """A close of ours with unread bytes in the kernel would be a reset, and the client would lose what it was sent."""
    async with serving_echo(EchoStand()) as stand:
        client = await stand.client()
        client.writer.write(frame(PING, b"p") + close(1000, b"bye") + frame(TEXT, b"late" * 100) * 5_000)
        await client.writer.drain()
        assert frames_of(await client.rest()) == [(PONG, b"p"), (CLOSE, b"\x03\xe8bye")]
        await client.close()
        await until(lambda: stand.connections.connection_count == 0, "the connection to end")
        assert not stand.host.server_state.connections, "what uvicorn would shut down"
        assert stand.handlers[0].log == ["opened", "closed 1000 bye"]


async def test_a_client_that_vanishes_is_noticed() -> None:
    async with serving_echo(EchoStand()) as stand:
        clients = [await stand.client() for _ in range(2)]
        clients[0].writer.transport.abort()
        clients[1].writer.write_eof()
        assert await clients[1].rest() == b""
        await until(lambda: stand.connections.connection_count == 0, "both to be gone")
        assert [handler.log for handler in stand.handlers] == [["opened", "closed 1006 "]] * 2
        await clients[1].close()


async def test_sockets_are_served_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    issued = authority.issue("localhost")
    trust = ssl.create_default_context(cafile=authority.file)
    async with serving_echo(EchoStand(), tls=(str(issued.file), str(issued.file))) as stand:
        client = await stand.client(tls=trust)
        assert await echoed(client) and await echoed(client, b"x" * 100_000)
        client.writer.write(close(1000))
        assert await client.frame() == (CLOSE, b"\x03\xe8")
        assert await client.rest() == b""
        await client.close()


async def test_a_process_that_stops_closes_its_sockets_with_1012() -> None:
    """One that waits for something gets the drain limit."""
    async with serving_echo(EchoStand(), drain_seconds=60.0) as stand:
        idle, busy = await stand.client(), await stand.client()
        stand.handlers[1].is_busy = True
        loop = asyncio.get_running_loop()
        began_at = time.monotonic()
        stopping = loop.create_task(stand.host.shutdown([]))
        assert await idle.frame() == (CLOSE, b"\x03\xf4service restart")
        idle.writer.write(close(1012))
        assert await idle.rest() == b""
        assert await echoed(busy), "still under way"
        stand.handlers[1].is_busy = False
        assert await busy.frame() == (CLOSE, b"\x03\xf4service restart")
        busy.writer.write(close(1012))
        for client in (idle, busy):
            await client.close()
        await stopping
        assert time.monotonic() - began_at < 55
        assert stand.handlers[1].log == ["opened", "stopping", "message hello", "closed 1012 service restart"]


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < SOCKETS + 500:
        pytest.skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def connected(port: int) -> RawSocket:
    """A client of the gateway's protocol, behind its `hello-ok`."""
    client = await EchoStand(port=port).client()
    await client.frame()
    client.writer.write(frame(TEXT, connect(auth={"token": TOKEN}).encode()))
    hello = json.loads((await client.frame())[1])
    assert hello["payload"]["type"] == "hello-ok", hello
    return client


async def is_served(client: RawSocket) -> bool:
    client.writer.write(frame(TEXT, request("sessions.list", id="7").encode()))
    while (found := json.loads((await client.frame())[1])).get("id") != "7":
        pass
    return bool(found["ok"])


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads memory from /proc")
async def test_an_idle_client_of_the_gateway_costs_little_memory(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure(http={"endpoints": {"chatCompletions": {"enabled": True}}})
    try:
        started = await asyncio.to_thread(home.gateway, "start")
        assert started.returncode == 0, started.stderr
        running = home.running()
        assert running.port is not None
        clients = [await connected(running.port) for _ in range(100)]
        assert await is_served(clients[0]), "the database is open"
        before, _ = memory_kb([running.pid])
        clients += [await connected(running.port) for _ in range(SOCKETS)]
        after, _ = memory_kb([running.pid])
        assert all([await is_served(client) for client in clients[::100]])
        assert (after - before) / SOCKETS < MOST_KB
        for client in clients:
            await client.close()
    finally:
        home.close()
