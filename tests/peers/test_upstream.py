"""The scripted server does what its script says and remembers what it was sent."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import pytest

from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.peers.script import (
    Close,
    DontReadBody,
    Drip,
    HalfClose,
    Hold,
    ReadBody,
    Reset,
    Script,
    Send,
    SetEvent,
    Trickle,
    Wait,
)
from tests.peers.throwaway_ca import Throwaway
from tests.peers.upstream import FakeUpstream, SilentListener


async def test_requests_are_recorded_as_they_came() -> None:
    """Method, target, fields in order and spelling, body, and connection number are all there."""
    async with FakeUpstream(faults.json_response({"ok": True})) as upstream:
        async with await RawClient.open(upstream.url) as client:
            await client.request("/a?b=c", b"{}", fields=(("X-Dup", "1"), ("x-dup", "2")))
            assert (await client.response()).json() == {"ok": True}
            await client.request("/second")
            assert (await client.response()).complete
        async with await RawClient.open(upstream.url) as client:
            await client.request("/third")
            assert (await client.response()).complete
        first, second, third = upstream.requests
        assert (first.method, first.target, first.body) == ("POST", "/a?b=c", b"{}")
        assert first.header_all("x-dup") == ["1", "2"]
        assert [name for name, _ in first.headers if name.lower() == "x-dup"] == ["X-Dup", "x-dup"]
        assert first.raw == first.raw_head + first.body
        assert first.raw + second.raw == bytes(first.connection.received)
        assert [r.connection.number for r in (first, second, third)] == [0, 0, 1]
        assert upstream.anomalies == []


async def test_scripts_go_by_request_number_and_the_last_repeats() -> None:
    """The n-th request gets the n-th script, which may be a function of it; the last is for the rest."""
    scripts = (
        faults.rate_limited("7"),
        lambda request: faults.json_response({"target": request.target}),
    )
    async with FakeUpstream(*scripts) as upstream, await RawClient.open(upstream.url) as client:
        seen = []
        for target in ("/1", "/2", "/3"):
            await client.request(target)
            response = await client.response()
            seen.append((response.status, response.header("retry-after"), response.json().get("target")))
        assert seen == [(429, "7", None), (200, None, "/2"), (200, None, "/3")]


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Two requests in one segment are two requests on one connection, and an odd one is told apart."""
    async with (
        FakeUpstream(faults.json_response(1), faults.json_response(2)) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        assert (await client.response(last=False)).json() == 1
        assert (await client.response()).json() == 2
        assert upstream.anomalies == ["request 1: 0 Host fields"]
        assert upstream.requests[1].raw == b"GET /2 HTTP/1.1\r\n\r\n"


async def test_garbage_from_the_client_is_an_anomaly() -> None:
    """Bytes that are no request make no Request, and are reported with their connection."""
    async with FakeUpstream() as upstream, await RawClient.open(upstream.url) as client:
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")
        client.half_close()
        assert (await client.ended()).how == "fin"
        assert upstream.requests == []
        assert upstream.anomalies[0].startswith("connection 0: malformed start line")


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_leaving_client_is_seen_while_held(how: str) -> None:
    """FIN and RST of the client are both seen during a Hold, and told apart."""
    async with FakeUpstream((ReadBody(), Hold(), Send(b"never"))) as upstream:
        client = await RawClient.open(upstream.url)
        await client.request("/", b"{}")
        request = await upstream.saw_body(0)
        assert upstream.open_connections == [request.connection]
        client.reset() if how == "reset" else client.half_close()
        connection = await upstream.saw_close(0)
        await client.ended()
        assert connection.client_close == how
        assert upstream.open_connections == []
        await client.close()
        assert bytes(client.received) == b""


async def test_release_lets_a_hold_go_on() -> None:
    """`release()` continues the script where it stood."""
    async with (
        FakeUpstream((ReadBody(), Hold(), *faults.json_response("late"))) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.request("/")
        await upstream.saw_request(0)
        assert client.received == b""
        upstream.release()
        assert (await client.response()).json() == "late"


def more_than(number: int) -> Callable[[Response], bool]:
    return lambda response: len(response.chunks) > number


async def test_events_order_both_sides_without_a_clock() -> None:
    """Wait and Tell let a test and a script take turns, frame by frame."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    told = asyncio.Event()
    script = (*faults.sse_gated(gates), SetEvent(told))
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/", b"{}")
        head = await client.response_so_far()
        assert head.status == 200 and head.chunks == ()
        for number, (gate, frame) in enumerate(zip(gates, faults.CHAT_FRAMES, strict=True)):
            gate.set()
            so_far = await client.response_so_far(more_than(number))
            assert so_far.chunks[number:] == (frame,)
        whole = await client.response()
        assert whole.complete and whole.anomalies == ()
        assert told.is_set()


async def test_unread_bodies_block_the_client() -> None:
    """DontReadBody makes a large upload stand still; ReadBody lets it through whole."""
    gate = asyncio.Event()
    script = (DontReadBody(), Wait(gate), *faults.json_response("read"))
    body = b"x" * 20_000_000
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(client.request("/", body))
            request = await upstream.saw_request(0)
            await asyncio.wait([sending], timeout=0.3)
            assert not sending.done() and len(request.body) < len(body)
            gate.set()
        assert (await client.response()).json() == "read"
        assert request.body == body


async def test_a_client_that_does_not_read_blocks_the_script() -> None:
    """Send waits for the peer, `saw_blocked` says that it does, and `sent` how much got out."""
    data = b"x" * 30_000_000
    told = asyncio.Event()
    length = faults.head(200, [("Content-Length", str(len(data)))])
    script = (ReadBody(), Send(length), Send(data), SetEvent(told))
    async with (
        FakeUpstream(script) as upstream,
        await RawClient.open(upstream.url, receive_buffer=4096) as client,
    ):
        await client.request("/")
        await client.response_so_far()
        client.stop_reading()
        connection = await upstream.saw_blocked(0, quiet=0.05)
        assert connection.sent < len(data)
        assert not told.is_set()
        client.resume_reading()
        response = await client.response(within=60)
        assert response.complete and response.body == data
        assert told.is_set() and connection.sent > len(data)


@pytest.mark.parametrize(
    ("last", "how", "trailing"),
    [
        ((Close(),), "fin", b""),
        ((Reset(),), "reset", b""),
        ((HalfClose(), Hold()), "fin", b""),
        ((Send(b"extra"), Close()), "fin", b"extra"),
    ],
)
async def test_the_ends_are_told_apart(last: Script, how: str, trailing: bytes) -> None:
    """FIN, RST and half-close end the connection as named, and what follows the answer is not lost."""
    read = asyncio.Event()
    script = (*faults.json_response("x"), Wait(read), *last)
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/")
        assert (await client.response()).complete
        read.set()
        ended = await client.ended()
        assert (ended.how, ended.trailing) == (how, trailing)
        assert upstream.connections[0].client_close is None


async def test_the_script_of_a_connection_runs_before_any_request() -> None:
    """`on_connect` acts on a connection that has sent nothing."""
    async with FakeUpstream(on_connect=(Reset(),)) as upstream:
        client = await RawClient.open(upstream.url)
        assert (await client.ended()).how == "reset"
        await client.close()
        assert upstream.requests == []


async def test_slices_and_repeats_keep_the_bytes() -> None:
    """Drip and Trickle send exactly their bytes, the one once in slices, the other as often as told."""
    wire = faults.response("ü".encode() * 10)
    script = (ReadBody(), Drip(wire, 3), Trickle(b"ping", 0, times=3), Close())
    async with FakeUpstream(script) as upstream, await RawClient.open(upstream.url) as client:
        await client.request("/")
        await client.ended()
        assert bytes(client.received) == wire + b"ping" * 3


async def test_tls(throwaway: Throwaway) -> None:
    """The same server speaks TLS, sees who leaves, and its URL says https."""
    scripts = (faults.sse_response(), faults.never_responds())
    async with FakeUpstream(*scripts, tls=throwaway.server) as upstream:
        assert upstream.url == f"https://127.0.0.1:{upstream.port}"
        client = await RawClient.open(upstream.url, tls=throwaway.client)
        await client.request("/", b"{}")
        response = await client.response()
        assert response.complete and b"".join(response.chunks) == b"".join(faults.CHAT_FRAMES)
        await client.request("/", b"{}")
        await upstream.saw_body(1)
        await client.close()
        assert (await upstream.saw_close(0)).client_close is not None


def test_a_broken_script_is_reported() -> None:
    """An error inside a script is raised when the context ends, and not swallowed."""

    async def run() -> None:
        def script(request: object) -> tuple[()]:
            raise ZeroDivisionError("in the script")

        async with FakeUpstream(script) as upstream:
            client = await RawClient.open(upstream.url)
            await client.request("/")
            await client.ended()
            await client.close()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run())
    assert caught.group_contains(ZeroDivisionError)


async def test_a_wait_that_fails_says_what_was_seen() -> None:
    """A wait for what does not come ends with TimeoutError naming it and the requests so far."""
    async with (
        FakeUpstream(faults.json_response(1)) as upstream,
        await RawClient.open(upstream.url) as client,
    ):
        await client.request("/only")
        await client.response()
        with pytest.raises(TimeoutError, match=r"request 1; 1 connections, requests \[\(0, 'GET', '/only'\)"):
            await upstream.saw_request(1, within=0.01)


async def test_stop_ends_everything() -> None:
    """After it the port refuses and every client has seen its end, whatever the scripts were doing."""
    async with FakeUpstream((ReadBody(), Hold())) as upstream:
        clients = [await RawClient.open(upstream.url) for _ in range(3)]
        for client in clients:
            await client.request("/")
        await upstream.saw_request(2)
    for client in clients:
        await client.ended()
        await client.close()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.open(upstream.url)


async def test_silent_listener_opens_and_never_answers() -> None:
    """A connection to a listener that does not accept opens, takes bytes and stays silent."""
    with SilentListener() as listener:
        async with await RawClient.open(listener.url) as client:
            await client.request("/")
            with pytest.raises(TimeoutError):
                await client.response(within=0.05)
            assert client.how_ended is None


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels queue more than they are told")
def test_full_backlog_lets_no_connect_through() -> None:
    """With the backlog full, a connect neither succeeds nor is refused."""
    with SilentListener(backlog_full=True) as listener, socket.socket() as sock:
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.connect(("127.0.0.1", listener.port))
