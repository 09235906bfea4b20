"""A client that leaves frees the upstream at once, at whatever moment, and everything is counted out again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.e2e.stand import KINDS, PATIENCE, Kind, serving, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.script import DontReadBody, Hold, ReadBody, Send, Trickle
from tests.peers.upstream import FakeUpstream, SilentListener
from tests.relay.recording_dialer import RecordingDialer

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
@LEAVES
async def test_a_client_that_leaves_before_the_name_is_resolved_ends_the_dial(how: str, kind: Kind) -> None:
    """Nothing is connected for somebody who is gone."""
    asked, never = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.set()
        await never
        return ["127.0.0.1"]

    dialer = RecordingDialer(resolver)
    async with (
        serving(kind, "http://nowhere.example", dialer=dialer) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        await asyncio.wait_for(asked.wait(), PATIENCE)
        assert stand.running == (kind == "server")
        await leave(client, how)
        await stand.all_quiet(kept=0)
        assert never.cancelled() and not dialer.ledger


@ROLES
@LEAVES
async def test_a_client_that_leaves_while_connecting_ends_the_dial(how: str, kind: Kind) -> None:
    """The handshake that nobody answers is given up."""
    with SilentListener(backlog_full=True) as listener:
        dialer = RecordingDialer()
        async with serving(kind, listener.url, dialer=dialer) as stand, await stand.client() as client:
            await stand.send(client)
            await until(lambda: bool(dialer.ledger), "the dial")
            await leave(client, how)
            await stand.all_quiet(kept=0)


@ROLES
@LEAVES
@pytest.mark.parametrize(
    ("before", "seen"),
    [
        ((), b""),
        ((Send(b"HTTP/1.1 200 OK\r\nContent-"),), b""),
        ((Send(STREAM),), b"200 OK"),
        ((Send(STREAM), Trickle(chunk(b": ping\n\n"), 0.001, 20)), b"ping"),
        ((Send(STREAM + chunk(EVENT)),), EVENT),
        ((Send(STREAM + chunk(EVENT)[:20]),), EVENT[:10]),
        ((Send(head(200, [("Content-Length", "1000")]) + b"some of it"),), b"some of it"),
        ((Send(head(200) + b"until the end"),), b"until the end"),
        ((Send(head(500, [("Content-Length", "1000")]) + b"held"),), b""),
    ],
    ids=["no answer", "in the head", "before the first token", "pings only", "in mid-stream", "in a chunk",
         "in a body with a length", "in a body until the end", "in an error that is looked through"],
)  # fmt: skip
async def test_a_client_that_leaves_frees_the_upstream_at_once(
    before: tuple[Send | Trickle, ...], seen: bytes, how: str, kind: Kind
) -> None:
    """Before the head, before the first token, in mid-stream, and on calls that do not stream."""
    async with (
        FakeUpstream((ReadBody(), *before, Hold()), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
    ):
        client = await stand.client()
        await stand.send(client)
        await upstream.saw_body(0)
        if seen:
            await client.saw(seen)
        assert stand.running == (kind == "server")
        await leave(client, how)
        closed = await upstream.saw_close(0)
        assert closed.client_close is not None
        await stand.all_quiet(kept=0)
        await client.close()
        assert (await stand.fresh()).json() == {"next": "fine"}


@ROLES
@LEAVES
async def test_a_client_that_leaves_in_its_upload_frees_an_upstream_that_does_not_read(
    how: str, kind: Kind
) -> None:
    """Also while reading from the client is paused, where its end cannot be read."""
    async with (
        FakeUpstream((DontReadBody(), Hold()), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "19000000"))
        await client.request(method="POST", fields=fields)
        sent = 0
        while not any(each.flow.read_paused for each in stand.connections):
            await client.send(b"x" * 32_768)
            sent += 32_768
            assert sent < 18_000_000
        await leave(client, how)
        await stand.all_quiet(kept=0)
        upstream.requests[0].connection._transport.resume_reading()
        await upstream.saw_close(0)


@ROLES
async def test_a_thousand_clients_that_leave_leave_nothing(kind: Kind) -> None:
    """Counters return to zero whatever the moment."""
    async with (
        FakeUpstream((ReadBody(), Send(STREAM), Trickle(chunk(EVENT), 0.001))) as upstream,
        serving(kind, upstream.url) as stand,
    ):
        for number in range(200):
            client = await stand.client()
            await stand.send(client)
            for _ in range(number % 40):
                await asyncio.sleep(0)
            await leave(client, "reset" if number % 2 else "close")
        await stand.all_quiet(kept=0)
        await until(lambda: not upstream.open_connections, "the upstream to see all of them go")
        assert not stand.role.connections._tasks
