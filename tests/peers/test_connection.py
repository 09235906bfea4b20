"""One accepted connection tells its bytes, its requests and its end apart, whatever becomes of them."""

from __future__ import annotations

import asyncio

from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Close, DontReadBody, Hold, ReadBody, Send, SetEvent, Wait
from tests.peers.upstream import FakeUpstream


async def test_a_request_is_known_before_its_body() -> None:
    """Its head at once, its body as it grows, and its end only when that is whole."""
    async with FakeUpstream() as upstream, await RawClient.open(upstream.url) as client:
        await client.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        request = await upstream.saw_request(0)
        await upstream.pulse.until(lambda: request.body == b"ab", within=5)
        assert (request.method, request.target, request.complete) == ("POST", "/p", False)
        assert request.raw.endswith(b"\r\n\r\nab") and request.header("host") == "a"
        await client.send(b"cd")
        assert (await upstream.saw_body(0)).body == b"abcd"
        assert request.complete and request.raw == request.raw_head + b"abcd"


async def test_bytes_that_are_no_request_spoil_nothing_before_them() -> None:
    """Nor are they read on: what follows them could mean anything."""
    async with (
        FakeUpstream(faults.json_response(1)) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.send(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\x00\x00\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        assert (await client.response()).json() == 1
        (connection,) = upstream.connections
        assert [request.target for request in connection.requests] == ["/1"]
        assert len(upstream.anomalies) == 1 and connection.received.endswith(b"\r\n\r\n")


async def test_our_own_end_is_not_the_clients() -> None:
    """A script that closes leaves `client_close` empty, and the connection is over for both."""
    async with FakeUpstream((ReadBody(), Send(b"x"), Close())) as upstream:
        client = await RawClient.open(upstream.url)
        await client.request("/")
        assert (await client.ended()).trailing == b"x"
        await client.close()
        connection = await upstream.saw_connection(0)
        await upstream.pulse.until(lambda: connection.lost, within=5)
        assert connection.client_close is None and not connection.blocked


async def test_the_first_sign_of_leaving_counts() -> None:
    """A client that sent FIN and then resets has left by FIN."""
    async with FakeUpstream((ReadBody(), Hold())) as upstream:
        client = await RawClient.open(upstream.url)
        await client.request("/")
        client.half_close()
        connection = await upstream.saw_close(0)
        client.reset()
        await client.close()
        await upstream.pulse.until(lambda: connection.lost, within=5)
        assert connection.client_close == "fin"


async def test_a_script_that_does_not_read_still_leaves_room_for_the_next_request() -> None:
    """At the end of a script the rest of its request is read, so that the next one is not taken for it."""
    told = asyncio.Event()
    scripts = ((DontReadBody(), Send(faults.response(b"1")), SetEvent(told)), faults.json_response(2))
    async with FakeUpstream(*scripts) as upstream, await RawClient.open(upstream.url) as client:
        await client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        assert (await client.response()).json() == 1
        await told.wait()
        await client.send(b"abcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.response()).json() == 2
        assert upstream.requests[0].body == b"abc" and upstream.anomalies == []


async def test_what_was_sent_is_what_the_kernel_took() -> None:
    """Counted as it goes, also before anything is read at the other end."""
    gate = asyncio.Event()
    wire = faults.response(b"12345")
    async with (
        FakeUpstream((ReadBody(), Send(wire[:-1]), Wait(gate), Send(wire[-1:]))) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.request("/")
        await client.saw(b"1234")
        (connection,) = upstream.connections
        assert connection.sent == len(wire) - 1 and not connection.blocked
        gate.set()
        assert (await client.response()).complete and connection.sent == len(wire)
