"""A listener's clients: how long each stage may take, how many there may be, and that each is counted out again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from clawgate.relay.downstream import connections as front
from clawgate.relay.downstream import protocol
from clawgate.testing.http import faults
from clawgate.testing.http.client import RawClient
from clawgate.testing.http.script import Drip, Hold, ReadBody
from clawgate.testing.http.upstream import FakeUpstream
from tests.e2e.stand import CLIENT_TOKEN, KINDS, Kind, run, serving, until

ROLES = pytest.mark.parametrize("kind", KINDS)
GOOD = faults.json_answer({"next": "fine"})
SOON = 0.2


@ROLES
def test_a_connection_that_says_nothing_is_closed(kind: Kind) -> None:
    """Within the limit of a head, without a word: nobody asked anything."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"head_seconds": SOON}) as stand,
            await stand.client() as client,
        ):
            assert (await client.ended()).trailing == b""
            await stand.all_quiet()

    run(work())


@ROLES
@pytest.mark.parametrize("how", ["at once", "drip"])
def test_half_a_head_is_refused_in_time(how: str, kind: Kind) -> None:
    """408, however steadily its bytes drip: the limit is for the whole head."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"head_seconds": SOON}) as stand,
            await stand.client() as client,
        ):
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
            if how == "at once":
                await client.send(head)
            else:
                pieces = [head, *[b"x"] * 40]
                dripping = asyncio.get_running_loop().create_task(client.send(*pieces, pause=0.03))
                await client.saw(b"408")
                dripping.cancel()
                await asyncio.gather(dripping, return_exceptions=True)
            response = await client.response()
            assert response.status == 408 and response.json()["error"]["code"] == "request_timed_out"
            assert response.header("connection") == "close"
            await client.ended()
            assert upstream.requests == []

    run(work())


@ROLES
def test_a_body_that_stops_is_refused_in_time(kind: Kind) -> None:
    """408 for the rest that does not come, and the upstream is freed."""

    async def work() -> None:
        async with (
            FakeUpstream((ReadBody(), Hold()), GOOD) as upstream,
            serving(kind, upstream.url, intake={"body_idle_seconds": SOON}) as stand,
            await stand.client() as client,
        ):
            fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "100"))
            await client.request(method="POST", fields=fields)
            await client.send(b"{")
            response = await client.response()
            assert response.status == 408 and response.json()["error"]["code"] == "request_timed_out"
            await upstream.saw_close(0)
            await client.close()
            await stand.all_quiet(kept=0)

    run(work())


@ROLES
def test_a_body_that_drips_is_taken(kind: Kind) -> None:
    """The limit is for a pause, not for the whole body."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"body_idle_seconds": 0.4}) as stand,
            await stand.client() as client,
        ):
            fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "8"))
            await client.request(method="POST", fields=fields)
            await client.send(*[b"x"] * 8, pause=0.1)
            assert (await client.response()).status == 200

    run(work())


@ROLES
def test_a_kept_connection_is_closed_after_its_limit(kind: Kind) -> None:
    """Counted from the answer, not from the connection."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"keep_alive_seconds": 0.3}) as stand,
            await stand.client() as client,
        ):
            loop = asyncio.get_running_loop()
            for _ in range(2):
                assert (await stand.ask(client)).status == 200
            answered = loop.time()
            assert (await client.ended()).how == "fin"
            assert loop.time() - answered > 0.25

    run(work())


@ROLES
def test_a_long_answer_is_not_a_kept_connection(kind: Kind) -> None:
    """No limit of the intake runs while an answer is under way."""

    async def work() -> None:
        limits = {"keep_alive_seconds": 0.1, "head_seconds": 0.1, "body_idle_seconds": 0.1}
        slow = (ReadBody(), Drip(faults.sse_bytes(), 100, 0.05))
        async with FakeUpstream(slow) as upstream, serving(kind, upstream.url, intake=limits) as stand:
            response = await stand.fresh()
            assert response.complete and response.events()[-1] == "[DONE]"

    run(work())


@ROLES
def test_a_client_that_never_reads_is_given_up(kind: Kind) -> None:
    """An answer that nobody takes frees the upstream after the limit of an idle body."""

    async def work() -> None:
        data = b"x" * 30_000_000
        async with (
            FakeUpstream((ReadBody(), Drip(faults.answer(data), 1_000_000))) as upstream,
            serving(kind, upstream.url, intake={"body_idle_seconds": 0.3}) as stand,
            await stand.client(receive_buffer=4096) as client,
        ):
            client.stop_reading()
            await stand.send(client)
            await upstream.saw_close(0)
            await stand.all_quiet(kept=0)

    run(work())


@ROLES
def test_strangers_make_room_for_strangers(kind: Kind) -> None:
    """Connections that have shown nothing are bounded, the oldest go first, and one that was admitted stays."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"strangers": 10}) as stand,
            await stand.client() as known,
        ):
            assert (await stand.ask(known)).status == 200
            idle: list[RawClient] = [await stand.client() for _ in range(30)]
            await until(lambda: stand.role.front.connection_count == 11, "the oldest to go")
            for client in idle[:20]:
                await client.ended()
            assert all(client.how_ended is None for client in idle[20:])
            assert (await stand.ask(known)).status == 200
            assert (await stand.ask(idle[-1])).status == 200
            for client in idle:
                await client.close()

    run(work())


@ROLES
def test_to_ask_for_health_makes_nobody_known_where_tokens_are_wanted(kind: Kind) -> None:
    """Or who has no token could hold all connections that there may be; a bridge without tokens knows everybody."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"strangers": 2}) as stand,
            await stand.client() as client,
        ):
            await client.request(target="/health")
            assert (await client.response()).status == 200
            others = [await stand.client() for _ in range(2)]
            expected = 3 if kind == "bridge" else 2
            await until(lambda: stand.role.front.accepted_count == 3, "all to be accepted")
            await until(lambda: stand.role.front.connection_count == expected, "the stranger to go")
            if kind == "server":
                await client.ended()
                fields = (*stand.fields, ("Connection", "keep-alive"))
                await others[0].request(target="/health", fields=fields)
                assert (await others[0].response()).json()["role"] == "server"
                others += [await stand.client() for _ in range(2)]
                await until(
                    lambda: stand.role.front.connection_count == 3, "a known one beside two strangers"
                )
                assert others[0].how_ended is None and others[3].how_ended is None
            for other in others:
                await other.close()

    run(work())


def test_a_wrong_token_does_not_make_a_stranger_known() -> None:
    """On the server only a request that was let in counts."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving("server", upstream.url, intake={"strangers": 2}) as stand,
            await stand.client() as client,
        ):
            await client.request(fields=(("Authorization", f"Bearer {CLIENT_TOKEN}x"),), body=b"{}")
            assert (await client.response()).status == 401
            others = [await stand.client() for _ in range(2)]
            await client.ended()
            for other in others:
                await other.close()
            assert upstream.requests == []

    run(work())


@ROLES
def test_more_connections_than_there_may_be_are_told_so(kind: Kind) -> None:
    """503 with Retry-After, and room again once somebody has left."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"connections": 3}) as stand,
        ):
            inside = [await stand.client() for _ in range(3)]
            await until(lambda: stand.role.front.connection_count == 3, "all to be accepted")
            async with await stand.client() as fourth:
                response = await fourth.response()
                assert response.status == 503 and response.json()["error"]["code"] == "overloaded"
                assert response.header("retry-after") == "1"
                await fourth.ended()
            for client in inside:
                assert (await stand.ask(client)).status == 200
            await inside.pop().close()
            await until(lambda: stand.role.front.connection_count == 2, "one to go")
            assert (await stand.fresh()).status == 200
            for client in inside:
                await client.close()
            await stand.all_quiet()

    run(work())


def test_who_is_turned_away_is_logged_and_gets_time_to_read_why_within_bounds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each; the time to read is for so many, so that they cannot become another crowd."""
    monkeypatch.setattr(front, "TURNED_AWAY", 2)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 600.0)

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving("bridge", upstream.url, intake={"connections": 1}) as stand,
            await stand.client() as inside,
        ):
            await until(lambda: stand.role.front.connection_count == 1, "the first to be accepted")
            late = [await stand.client() for _ in range(4)]
            for client in late:
                assert (await client.response()).status == 503
            # uvicorn's own list: the one inside and the two that may still read
            await until(lambda: len(stand.host.server_state.connections) == 3, "the rest to be closed")
            assert stand.role.front.connection_count == 1
            assert (await stand.ask(inside)).status == 200
            for client in late:
                await client.close()

    caplog.set_level("WARNING")
    run(work())
    lines = [record.message for record in caplog.records if "overloaded" in record.message]
    assert len(lines) == 4 and "1 connections are open" in lines[0]


@ROLES
def test_a_request_that_finds_no_room_is_answered_and_not_reset(kind: Kind) -> None:
    """Closing a connection on which something is unread resets it, and the answer may be lost with that."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url, intake={"connections": 1}) as stand,
            await stand.client(),
        ):
            await until(lambda: stand.role.front.connection_count == 1, "the first to be accepted")
            loop = asyncio.get_running_loop()
            host, port = stand.url.removeprefix("http://").split(":")
            with socket.create_connection(
                (host, int(port))
            ) as late:  # the loop stands still until it has sent
                late.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
                late.setblocking(False)
                received = b""
                while piece := await loop.sock_recv(late, 65_536):
                    received += piece
            assert received.startswith(b"HTTP/1.1 503 ") and b"overloaded" in received

    run(work())


@ROLES
def test_a_head_that_does_not_come_holds_up_no_stop(kind: Kind) -> None:
    """Who sends half a head could else make each stop last as long as the drain limit; it is told to try again."""

    async def work() -> None:
        async with (
            FakeUpstream(GOOD) as upstream,
            serving(kind, upstream.url) as stand,
            await stand.client() as half,
            await stand.client() as idle,
        ):
            await half.send(b"POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ")
            await until(lambda: stand.role.front.busy_count == 1, "the head to begin")
            stand.role.front.release_idle()
            response = await half.response()
            assert response.status == 503 and response.json()["error"]["code"] == "gateway_unavailable"
            assert response.header("retry-after") == "1"
            await half.ended()
            assert (await idle.ended()).trailing == b""

    run(work())


@ROLES
def test_closing_the_front_ends_everything(kind: Kind) -> None:
    """Clients, upstream connections and dials under way."""

    async def work() -> None:
        async with FakeUpstream((ReadBody(), Hold())) as upstream, serving(kind, upstream.url) as stand:
            client = await stand.client()
            await stand.send(client)
            await upstream.saw_request(0)
            stand.role.front.close()
            await client.ended()
            await upstream.saw_close(0)
            await stand.all_quiet(kept=0)
            await client.close()

    run(work())
