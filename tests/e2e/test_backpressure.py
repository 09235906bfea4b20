"""Whoever does not read is waited for, with little in memory, in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clawgate.relay.upstream.dial import Dialer
from tests.e2e.stand import KINDS, PATIENCE, Kind, serving, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.script import DontReadBody, Drip, ReadBody, Send, Wait
from tests.peers.upstream import FakeUpstream

ROLES = pytest.mark.parametrize("kind", KINDS)
GOOD = faults.json_response({"next": "fine"})
STREAM = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
EVENT = faults.CHAT_FRAMES[0]
LEAVES = pytest.mark.parametrize("how", ["close", "half-close", "reset"])


async def leave(client: RawClient, how: str) -> None:
    if how == "reset":
        client.reset()
    elif how == "half-close":
        client.half_close()
    else:
        await client.close()


@ROLES
async def test_a_client_that_does_not_read_holds_up_the_upstream(kind: Kind) -> None:
    """Of 50 MB no more than two are on the way, until the client reads."""
    data = b"z" * 50_000_000
    script = (ReadBody(), Send(head(200, [("Content-Length", str(len(data)))])), Drip(data, 65_536))
    async with (
        FakeUpstream(script) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client(receive_buffer=4096) as client,
    ):
        client.stop_reading()
        await stand.send(client)
        connection = await upstream.saw_blocked(0)
        # The kernel's own buffers, which it sizes as it likes, take up to 6 MB on each side of loopback.
        assert connection.sent < 14_000_000
        held = [c.transport.get_write_buffer_size() for c in stand.role.connections._connections]
        assert sum(held) < 1_000_000
        client.resume_reading()
        assert (await client.response(within=PATIENCE)).body == data


@ROLES
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_upstream_that_does_not_read_holds_up_the_client(framing: str, kind: Kind) -> None:
    """Of a 19 MB upload our own memory holds less than one, until the upstream reads."""
    gate = asyncio.Event()
    body = b"u" * 19_000_000
    async with (
        FakeUpstream((DontReadBody(), Wait(gate), *GOOD)) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        kind_of = (
            ("Content-Length", str(len(body))) if framing == "length" else ("Transfer-Encoding", "chunked")
        )
        await client.request(
            method="POST", fields=(*stand.fields, ("Content-Type", "application/json"), kind_of)
        )
        data = body if framing == "length" else chunk(body) + faults.LAST_CHUNK
        sending = asyncio.get_running_loop().create_task(client.send(data))
        request = await upstream.saw_request(0)
        await asyncio.wait([sending], timeout=0.3)
        assert not sending.done()
        pool = stand.role.upstream.pool
        assert sum(c.transport.get_write_buffer_size() for c in pool._open) < 1_000_000
        gate.set()
        assert (await client.response(within=PATIENCE)).json() == {"next": "fine"}
        await sending
        assert request.body == body


@ROLES
async def test_a_body_that_comes_before_the_connection_waits_in_the_kernel(kind: Kind) -> None:
    """While the name is being resolved, at most a few reads of the body are held."""
    go = asyncio.Event()

    async def resolver(host: str, port: int) -> Sequence[str]:
        await go.wait()
        return ["127.0.0.1"]

    body = b"w" * 15_000_000
    async with FakeUpstream(GOOD) as upstream:
        url = f"http://somewhere.example:{upstream.port}"
        async with serving(kind, url, dialer=Dialer(resolver)) as stand, await stand.client() as client:
            sending = asyncio.get_running_loop().create_task(stand.send(client, body))
            await until(lambda: any(c.flow.read_paused for c in stand.connections), "a pause")
            [connection] = stand.connections
            exchange = connection._exchange
            assert exchange is not None and sum(map(len, exchange._request._pending)) < 1_000_000
            go.set()
            assert (await client.response(within=PATIENCE)).json() == {"next": "fine"}
            await sending
            assert upstream.requests[0].body == body
