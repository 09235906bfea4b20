"""One exchange: its four time limits, and what becomes of the upstream when its client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from clawgate.relay.dial import Dialer
from clawgate.testing import faults
from clawgate.testing.faults import SSE_FIELDS, chunk, head
from clawgate.testing.raw_client import RawClient
from clawgate.testing.steps import DontReadBody, Drip, Hold, ReadBody, Send, Trickle, Wait
from clawgate.testing.upstream import FakeUpstream, SilentListener
from tests.e2e.stand import KINDS, PATIENCE, Kind, Stand, run, serving, until

ROLES = pytest.mark.parametrize("kind", KINDS)
GOOD = faults.json_answer({"next": "fine"})
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


# A client that leaves


@ROLES
@LEAVES
def test_a_client_that_leaves_before_the_name_is_resolved_ends_the_dial(how: str, kind: Kind) -> None:
    """Nothing is connected for somebody who is gone."""

    async def work() -> None:
        asked, never = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def resolver(host: str, port: int) -> Sequence[str]:
            asked.set()
            await never
            return ["127.0.0.1"]

        dialer = Dialer(resolver)
        async with serving(kind, "http://nowhere.example", dialer=dialer) as stand, await stand.client() as client:
            await stand.send(client)
            await asyncio.wait_for(asked.wait(), PATIENCE)
            assert stand.running == (kind == "server")
            await leave(client, how)
            await stand.all_quiet(kept=0)
            assert never.cancelled() and not dialer.ledger

    run(work())


@ROLES
@LEAVES
def test_a_client_that_leaves_while_connecting_ends_the_dial(how: str, kind: Kind) -> None:
    """The handshake that nobody answers is given up."""

    async def work() -> None:
        with SilentListener(backlog_full=True) as listener:
            async with serving(kind, listener.url) as stand, await stand.client() as client:
                await stand.send(client)
                await until(lambda: bool(stand.role.dialer.ledger), "the dial")
                await leave(client, how)
                await stand.all_quiet(kept=0)

    run(work())


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
def test_a_client_that_leaves_frees_the_upstream_at_once(
    before: tuple[Send | Trickle, ...], seen: bytes, how: str, kind: Kind
) -> None:
    """Before the head, before the first token, in mid-stream, and on calls that do not stream."""

    async def work() -> None:
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

    run(work())


@ROLES
@LEAVES
def test_a_client_that_leaves_in_its_upload_frees_an_upstream_that_does_not_read(how: str, kind: Kind) -> None:
    """Also while reading from the client is paused, where its end cannot be read."""

    async def work() -> None:
        async with (
            FakeUpstream((DontReadBody(), Hold()), GOOD) as upstream,
            serving(kind, upstream.url) as stand,
            await stand.client() as client,
        ):
            fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "19000000"))
            await client.request(method="POST", fields=fields)
            sent = 0
            while not any(each.flow.read_paused for each in stand.role.front._connections):
                await client.send(b"x" * 32_768)
                sent += 32_768
                assert sent < 18_000_000
            await leave(client, how)
            await stand.all_quiet(kept=0)
            upstream.requests[0].connection._transport.resume_reading()
            await upstream.saw_close(0)

    run(work())


@ROLES
def test_a_thousand_clients_that_leave_leave_nothing(kind: Kind) -> None:
    """Counters return to zero whatever the moment."""

    async def work() -> None:
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
            assert not stand.role.front._tasks

    run(work())


# Time limits


async def expect_timed_out(stand: Stand, client: RawClient, limit: str) -> str:
    response = await client.response()
    assert response.complete and response.status == 504
    error = response.json()["error"]
    assert error["code"] == "upstream_timed_out"
    assert f"limit '{limit}'" in error["message"]
    return str(error["message"])


async def expect_event(client: RawClient, limit: str) -> list[str]:
    """Our error as the last event of a stream that does not end properly; the events before it."""
    response = await client.response()
    assert response.status == 200 and not response.complete
    *events, last = response.events()
    error = json.loads(last)["error"]
    assert error["code"] == "upstream_timed_out" and f"limit '{limit}'" in error["message"]
    assert "[DONE]" not in events
    return events


@ROLES
def test_connecting_takes_no_longer_than_its_limit(kind: Kind) -> None:
    """A host that answers no SYN: 504 with 'connect'."""

    async def work() -> None:
        with SilentListener(backlog_full=True) as listener:
            async with serving(kind, listener.url, connect_timeout=0.2) as stand, await stand.client() as client:
                await stand.send(client)
                assert "0.2 s" in await expect_timed_out(stand, client, "connect")
                await client.close()
                await stand.all_quiet(kept=0)

    run(work())


@ROLES
def test_a_resolver_that_never_answers_counts_as_connecting(kind: Kind) -> None:
    """The limit covers the look-up."""

    async def work() -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            await asyncio.get_running_loop().create_future()
            return []

        options = {"dialer": Dialer(resolver), "connect_timeout": 0.2}
        async with serving(kind, "http://nowhere.example", **options) as stand, await stand.client() as client:
            await stand.send(client)
            await expect_timed_out(stand, client, "connect")

    run(work())


@ROLES
@pytest.mark.parametrize(
    "script",
    [
        (ReadBody(), Hold()),
        (ReadBody(), Send(b"HTTP/1.1 200 OK\r\n"), Hold()),
        (ReadBody(), Drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000, 1, 0.02)),
        (ReadBody(), Send(head(100)), Hold()),
        (ReadBody(), Trickle(head(102), 0.02)),
    ],
    ids=["silent", "half a head", "a head that drips", "interim only", "interim answers without end"],
)
def test_the_first_byte_has_a_limit(script: faults.Steps, kind: Kind) -> None:
    """Until the head of the answer is whole: 504 with 'first_byte'."""

    async def work() -> None:
        async with (
            FakeUpstream(script, GOOD) as upstream,
            serving(kind, upstream.url, first_byte_timeout=0.25) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            await expect_timed_out(stand, client, "first_byte")
            await upstream.saw_close(0)
            assert (await stand.ask(client)).json() == {"next": "fine"}

    run(work())


@ROLES
def test_comments_do_not_reset_the_first_byte_limit(kind: Kind) -> None:
    """A proxy that pings proves that it lives, not that the model has begun: an error event, a broken end."""

    async def work() -> None:
        async with (
            FakeUpstream(faults.pings_only(0.02)) as upstream,
            serving(kind, upstream.url, first_byte_timeout=0.3) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            assert await expect_event(client, "first_byte") == []
            await upstream.saw_close(0)

    run(work())


@ROLES
def test_pings_keep_a_stream_alive_that_has_begun(kind: Kind) -> None:
    """After the first token any byte is a sign of life, far beyond the limits of idle and first byte."""

    async def work() -> None:
        script = (ReadBody(), Send(STREAM + chunk(EVENT)), Trickle(chunk(b": ping\n\n"), 0.03, 40),
                  Send(chunk(b"data: [DONE]\n\n") + faults.LAST_CHUNK))  # fmt: skip
        async with (
            FakeUpstream(script) as upstream,
            serving(kind, upstream.url, first_byte_timeout=0.4, idle_timeout=0.4) as stand,
        ):
            response = await stand.fresh()
            assert response.complete and response.body.count(b": ping") == 40

    run(work())


@ROLES
def test_silence_within_a_stream_has_a_limit(kind: Kind) -> None:
    """An error event with 'idle' behind what came, then a broken end."""

    async def work() -> None:
        async with (
            FakeUpstream((ReadBody(), Send(STREAM + chunk(EVENT)), Hold())) as upstream,
            serving(kind, upstream.url, idle_timeout=0.2) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            assert await expect_event(client, "idle") == [EVENT.decode()[6:-2]]
            await upstream.saw_close(0)

    run(work())


@ROLES
def test_silence_within_another_body_breaks_it(kind: Kind) -> None:
    """Where no event can be added, the end is broken and nothing else is said."""

    async def work() -> None:
        wire = faults.answer(b'{"a":1}')
        async with (
            FakeUpstream(faults.stalls_after(wire, len(wire) - 2)) as upstream,
            serving(kind, upstream.url, idle_timeout=0.2) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            response = await client.response()
            assert not response.complete and response.body == b'{"a":'
            await upstream.saw_close(0)

    run(work())


@ROLES
def test_a_whole_exchange_has_a_limit(kind: Kind) -> None:
    """A stream that never ends and never pauses: an error event with 'total'."""

    async def work() -> None:
        async with (
            FakeUpstream((ReadBody(), Send(STREAM), Trickle(chunk(EVENT), 0.01))) as upstream,
            serving(kind, upstream.url, total_timeout=0.4, idle_timeout=0.3) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            assert len(await expect_event(client, "total")) > 5
            await upstream.saw_close(0)

    run(work())


@ROLES
def test_the_limit_of_an_upload_that_stands_still_is_idle(kind: Kind) -> None:
    """An upstream that takes no more of the body is to blame: 504 with 'idle'."""

    async def work() -> None:
        async with (
            FakeUpstream((DontReadBody(), Hold())) as upstream,
            serving(kind, upstream.url, idle_timeout=0.3) as stand,
            await stand.client() as client,
        ):
            sending = asyncio.get_running_loop().create_task(stand.send(client, b"x" * 19_000_000))
            await upstream.saw_request(0)
            response = await client.response()
            assert response.status == 504 and "limit 'idle'" in response.json()["error"]["message"]
            await client.close()
            await asyncio.gather(sending, return_exceptions=True)
            upstream.requests[0].connection._transport.resume_reading()
            await upstream.saw_close(0)
            await stand.all_quiet(kept=0)

    run(work())


@ROLES
def test_a_client_that_sends_slowly_is_not_blamed_on_the_upstream(kind: Kind) -> None:
    """While the rest of the body is the client's to send, the upstream owes nothing."""

    async def work() -> None:
        options = {"first_byte_timeout": 0.2, "idle_timeout": 0.2}
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, **options) as stand,
            await stand.client() as client,
        ):
            fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "3"))
            await client.request(method="POST", fields=fields)
            await client.send(b"a", b"b", b"c", pause=0.35)
            assert (await client.response()).json() == {"next": "fine"}
            assert upstream.requests[0].body == b"abc"

    run(work())


@ROLES
def test_a_client_that_reads_slowly_is_not_blamed_on_the_upstream(kind: Kind) -> None:
    """Full buffers on its side stop the clock of 'idle'."""

    async def work() -> None:
        gate = asyncio.Event()
        data = b"data: " + b"x" * 20_000_000 + b"\n\n"
        script = (ReadBody(), Send(STREAM + chunk(data)), Wait(gate), Send(faults.LAST_CHUNK))
        async with (
            FakeUpstream(script) as upstream,
            serving(kind, upstream.url, idle_timeout=0.25) as stand,
            await stand.client(receive_buffer=4096) as client,
        ):
            client.stop_reading()
            await stand.send(client)
            await upstream.saw_blocked(0, quiet=0.6)
            gate.set()
            client.resume_reading()
            response = await client.response(within=30)
            assert response.complete and response.body == data

    run(work())


# Backpressure


@ROLES
def test_a_client_that_does_not_read_holds_up_the_upstream(kind: Kind) -> None:
    """Of 50 MB no more than two are on the way, until the client reads."""

    async def work() -> None:
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
            held = [c.transport.get_write_buffer_size() for c in stand.role.front._connections]
            assert sum(held) < 1_000_000
            client.resume_reading()
            assert (await client.response(within=30)).body == data

    run(work())


@ROLES
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_upstream_that_does_not_read_holds_up_the_client(framing: str, kind: Kind) -> None:
    """Of a 19 MB upload our own memory holds less than one, until the upstream reads."""

    async def work() -> None:
        gate = asyncio.Event()
        body = b"u" * 19_000_000
        async with (
            FakeUpstream((DontReadBody(), Wait(gate), *GOOD)) as upstream,
            serving(kind, upstream.url) as stand,
            await stand.client() as client,
        ):
            kind_of = ("Content-Length", str(len(body))) if framing == "length" else ("Transfer-Encoding", "chunked")
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
            assert (await client.response(within=30)).json() == {"next": "fine"}
            await sending
            assert request.body == body

    run(work())


@ROLES
def test_a_body_that_comes_before_the_connection_waits_in_the_kernel(kind: Kind) -> None:
    """While the name is being resolved, at most a few reads of the body are held."""

    async def work() -> None:
        go = asyncio.Event()

        async def resolver(host: str, port: int) -> Sequence[str]:
            await go.wait()
            return ["127.0.0.1"]

        body = b"w" * 15_000_000
        async with FakeUpstream(GOOD) as upstream:
            url = f"http://somewhere.example:{upstream.port}"
            async with serving(kind, url, dialer=Dialer(resolver)) as stand, await stand.client() as client:
                sending = asyncio.get_running_loop().create_task(stand.send(client, body))
                await until(lambda: any(c.flow.read_paused for c in stand.role.front._connections), "a pause")
                [connection] = stand.role.front._connections
                exchange = connection._exchange
                assert exchange is not None and sum(map(len, exchange._outgoing)) < 1_000_000
                go.set()
                assert (await client.response(within=30)).json() == {"next": "fine"}
                await sending
                assert upstream.requests[0].body == body

    run(work())
