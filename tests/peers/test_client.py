"""The raw client sends what it is given and reports what is wrong with what comes back."""

from __future__ import annotations

import asyncio

import pytest

from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Close, Hold, ReadBody, Send, Wait
from tests.peers.upstream import FakeUpstream


async def test_pieces_arrive_as_one_message() -> None:
    """A request in pieces is one request, byte for byte."""
    wire = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    async with (
        FakeUpstream(faults.json_response(1)) as upstream,
        await RawClient.open(host="127.0.0.1", port=upstream.port) as client,
    ):
        await client.send(*(wire[at : at + 1] for at in range(len(wire))))
        assert (await client.response()).json() == 1
        assert bytes(upstream.connections[0].received) == wire


async def test_half_close_still_reads_the_answer() -> None:
    """A client may send FIN behind its request and still gets its answer."""
    gate = asyncio.Event()
    script = (Wait(gate), *faults.json_response("late"))
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/", b"{}")
        client.half_close()
        assert (await upstream.saw_close(0)).client_close == "fin"
        gate.set()
        assert (await client.response()).json() == "late"


async def test_bytes_behind_the_message_are_an_anomaly() -> None:
    """What follows a complete response is named, unless another response was announced as coming."""
    wire = faults.response(b"1")
    script = (ReadBody(), Send(wire + b"HTTP/1.1 tail"), Hold())
    async with FakeUpstream(script) as upstream:
        for last, anomalies in ((True, ("13 bytes behind the message: b'HTTP/1.1 tail'",)), (False, ())):
            async with await RawClient.open(upstream.url) as client:
                await client.request("/")
                await client.saw(b"tail")
                response = await client.response(last=last)
                assert response.complete and response.anomalies == anomalies


async def test_waiting_for_bytes_that_never_come_names_the_end() -> None:
    """`saw` fails at once when the connection ends, with what had come."""
    script = (ReadBody(), Send(b"half"), Close())
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/")
        with pytest.raises(ConnectionError, match="b'half'"):
            await client.saw(b"whole")


async def test_sending_on_a_dead_connection_fails() -> None:
    """A reset connection refuses further bytes."""
    async with FakeUpstream() as upstream:
        client = await RawClient.open(upstream.url)
        client.reset()
        assert (await upstream.saw_close(0)).client_close == "reset"
        with pytest.raises(ConnectionError):
            await client.request("/")
