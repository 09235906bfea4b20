"""Which connection serves which request: kept ones first, stale ones never, and no POST twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clawgate.errors import UpstreamUnreachable
from clawgate.relay.interfaces import Connection
from clawgate.relay.upstream.connection import TURN_BYTES, UpstreamConnection
from clawgate.relay.upstream.pool import ConnectionRequest, Pool, PoolLimits
from tests.e2e.stand import KINDS, Kind, serving, until
from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.script import Close, Hold, ReadBody, Reset, Send, Wait
from tests.peers.upstream import FakeUpstream
from tests.relay.fakes import OK, STREAM_HEAD, FakeClock, FakeDialer, FakeHandler, chunked, make_pool, settle

GOOD = faults.json_response({"next": "fine"})
ENDS = pytest.mark.parametrize("how", [Close(), Reset()], ids=["FIN", "RST"])
ROLES = pytest.mark.parametrize("kind", KINDS)


@ROLES
@ENDS
async def test_a_connection_that_ended_while_idle_is_not_used(how: Close | Reset, kind: Kind) -> None:
    """The next POST goes over a new connection and succeeds."""
    gate = asyncio.Event()
    async with (
        FakeUpstream((*GOOD, Wait(gate), how), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        assert (await stand.ask(client)).status == 200
        gate.set()
        await until(lambda: stand.role.upstream.pool.open_count == 0, "the pool to notice")
        assert (await stand.ask(client)).json() == {"next": "fine"}
        assert [request.connection.number for request in upstream.requests] == [0, 1]


@ROLES
@ENDS
async def test_a_connection_that_ended_right_after_its_answer_is_not_used(
    how: Close | Reset, kind: Kind
) -> None:
    """Also where the next POST comes in the same moment, twenty times in a row."""
    async with (
        FakeUpstream((*GOOD, how)) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        clean = 0
        for number in range(20):
            response = await stand.ask(client)
            if response.status == 200:
                assert response.json() == {"next": "fine"}
                clean += 1
            else:  # the end came after the request had been written: it must not be sent again
                assert (response.status, response.json()["error"]["code"]) == (502, "upstream_closed")
            assert len(upstream.requests) <= number + 1
        assert clean >= 10


@ROLES
@ENDS
@pytest.mark.parametrize("body", [b"{}", b"x" * 300_000, b"y" * 3_000_000], ids=["2 B", "300 kB", "3 MB"])
async def test_a_post_that_the_upstream_may_have_read_is_never_sent_twice(
    body: bytes, how: Close | Reset, kind: Kind
) -> None:
    """A reused connection that ends after it took the request: a clean 502, and one request upstream."""
    async with (
        FakeUpstream(GOOD, (ReadBody(), how), GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as client,
    ):
        assert (await stand.ask(client)).status == 200
        response = await stand.ask(client, body)
        assert (response.status, response.json()["error"]["code"]) == (502, "upstream_closed")
        assert len(upstream.requests) == 2
        assert (await stand.ask(client)).json() == {"next": "fine"}
        assert [request.connection.number for request in upstream.requests] == [0, 0, 1]


@ENDS
async def test_a_post_is_not_repeated_when_only_its_head_was_read(how: Close | Reset) -> None:
    """An upstream that ends after the head, in the middle of the upload, has received the request."""
    async with (
        FakeUpstream(GOOD, (how,), GOOD) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        assert (await stand.ask(client)).status == 200
        response = await stand.ask(client, b"z" * 500_000)
        assert response.status == 502
        assert len(upstream.requests) == 2


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@ENDS
async def test_a_repeatable_request_is_sent_once_more_on_a_new_connection(
    how: Close | Reset, method: str
) -> None:
    """RFC 9110 section 9.2.2: only where a reused connection ended without one byte of a response, and only once."""
    async with (
        FakeUpstream(GOOD, (ReadBody(), how), GOOD) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        assert (await stand.ask(client)).status == 200
        response = await stand.ask(client, None, method=method, target="/v1/files/x")
        assert response.json() == {"next": "fine"}
        assert [request.connection.number for request in upstream.requests] == [0, 0, 1]


@ENDS
async def test_a_repeatable_request_is_not_repeated_for_ever(how: Close | Reset) -> None:
    """The second end is shown; on a new connection nothing is repeated at all."""
    async with (
        FakeUpstream(GOOD, (ReadBody(), how)) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        assert (await stand.ask(client)).status == 200
        for requests in (3, 4):
            response = await stand.ask(client, None, target="/v1/models")
            assert (response.status, response.json()["error"]["code"]) == (502, "upstream_closed")
            assert len(upstream.requests) == requests


@ENDS
async def test_nothing_is_repeated_once_a_byte_of_the_answer_came(how: Close | Reset) -> None:
    """Half a head is a broken response, also for GET."""
    async with (
        FakeUpstream(GOOD, (ReadBody(), Send(b"HTTP/1.1 200"), Wait(0.05), how)) as upstream,
        serving("bridge", upstream.url) as stand,
        await stand.client() as client,
    ):
        await stand.ask(client)
        assert (await stand.ask(client, None, target="/v1/models")).status == 502
        assert len(upstream.requests) == 2


@ROLES
async def test_the_newest_connection_is_used_first_and_old_ones_are_closed(kind: Kind) -> None:
    """Surplus from a burst ages and goes; what is used stays."""
    gate = asyncio.Event()
    burst = (ReadBody(), Wait(gate), Send(faults.response(b'{"next":"fine"}')))
    async with FakeUpstream(*[burst] * 5, GOOD) as upstream, serving(kind, upstream.url) as stand:
        pool = stand.role.upstream.pool
        pool._idle_seconds = 60
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(stand.fresh()) for _ in range(5)]
            await upstream.saw_request(4)
            gate.set()
        assert all(task.result().status == 200 for task in tasks)
        assert (pool.open_count, pool.idle_count) == (5, 5)
        assert (await stand.fresh()).status == 200
        assert len(upstream.connections) == 5
        loop = asyncio.get_running_loop()
        pool.close_expired(loop.time() + 61)
        await until(lambda: pool.open_count == 0, "the surplus to be closed")
        await until(lambda: not upstream.open_connections, "the upstream to see it")


async def test_the_pool_closes_idle_connections_by_itself() -> None:
    """The periodic check of the listener does it."""
    async with FakeUpstream(GOOD) as upstream, serving("bridge", upstream.url) as stand:
        stand.role.upstream.pool._idle_seconds = 0.1
        await stand.fresh()
        assert (await upstream.saw_close(0)).client_close is not None
        assert stand.role.upstream.pool.open_count == 0


async def test_a_dial_that_is_cancelled_in_the_moment_of_success_leaves_no_connection() -> None:
    """The caller that gave up does not own it, so it is closed."""
    async with FakeUpstream(GOOD) as upstream, serving("bridge", upstream.url) as stand:
        pool: Pool = stand.role.upstream.pool
        for turns in range(12):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(pool.dial())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            if not task.cancelled():
                task.result().abort()
        await until(lambda: pool.open_count == 0, lambda: repr(pool))
        await until(lambda: not upstream.open_connections, "the upstream to see them closed")


@ROLES
async def test_requests_at_once_never_share_a_connection(kind: Kind) -> None:
    """Fifty at a time over fifty connections; each response goes to its own request."""

    def echo(request: Request) -> faults.Steps:
        return ReadBody(), Send(faults.response((request.header("content-length") or "").encode()))

    async with FakeUpstream(echo) as upstream, serving(kind, upstream.url) as stand:
        for _ in range(4):
            async with asyncio.TaskGroup() as group:
                tasks = {size: group.create_task(stand.fresh(b"x" * size)) for size in range(10, 60)}
            for size, task in tasks.items():
                assert task.result().body == b"%d" % size
        assert upstream.anomalies == []
        assert len(upstream.connections) <= 50
        await stand.all_quiet()


@ROLES
async def test_closing_the_pool_ends_every_connection(kind: Kind) -> None:
    """In use or idle."""
    async with FakeUpstream(GOOD, (ReadBody(), Hold())) as upstream, serving(kind, upstream.url) as stand:
        await stand.fresh()
        async with await stand.client() as client:
            await stand.send(client)
            await upstream.saw_request(1)
            stand.role.upstream.pool.close()
            await upstream.saw_close(0)
            await until(lambda: stand.role.upstream.pool.open_count == 0, "the pool to be empty")
            assert (await client.response()).status == 502


@ROLES
async def test_a_retired_pool_keeps_nothing_and_finishes_what_it_has(kind: Kind) -> None:
    """Idle connections are closed at once, one in use behind its response; nothing is given to a later request."""
    gate = asyncio.Event()
    slow = (ReadBody(), Wait(gate), *GOOD[1:])
    async with (
        FakeUpstream(lambda request: slow if request.number == 1 else GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as first,
        await stand.client() as second,
    ):
        await stand.send(second)
        await upstream.saw_body(0)
        assert (await second.response()).status == 200
        pool = stand.role.upstream.pool
        kept = pool.acquire()
        assert kept is not None and pool.idle_count == 0
        await stand.send(first)
        await upstream.saw_body(1)
        pool.release(kept, 0.0)
        assert pool.idle_count == 1 and pool.open_count == 2
        pool.retire()
        assert pool.idle_count == 0 and pool.acquire() is None
        await upstream.saw_close(0)
        gate.set()
        assert (await first.response()).json() == {"next": "fine"}
        await upstream.saw_close(1)
        await until(lambda: pool.open_count == 0, "the pool to be empty")


async def test_a_connection_that_was_aborted_in_this_turn_of_the_loop_is_not_handed_out() -> None:
    """A stray byte behind a response aborts an idle connection; `connection_lost` comes one turn later."""
    dialer = FakeDialer()
    pool = make_pool(dialer)
    connection = await pool.dial()
    handler = FakeHandler()
    connection.start_response(handler, head_only=False)
    connection.data_received(OK)
    pool.release(connection, 0.0)
    assert pool.idle_count == 1
    connection.data_received(b"x")
    assert pool.acquire() is None
    await settle()
    assert (pool.open_count, pool.idle_count) == (0, 0)


async def test_a_connection_with_unread_bytes_is_not_handed_out() -> None:
    """Seen by asking the socket, before the loop reads it."""
    dialer = FakeDialer(readable=True)
    pool = make_pool(dialer)
    connection = await pool.dial()
    connection.reusable = True
    pool.release(connection, 0.0)
    assert pool.acquire() is None and dialer.transport().calls == ["abort"]


@pytest.mark.parametrize("stray", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["EOF", "a response"])
async def test_a_connection_that_ended_while_it_was_opened_is_an_error(stray: bytes) -> None:
    """No handler would learn of an end that came before the request."""
    dialer = FakeDialer()
    dialer.on_open = lambda transport: transport.receive(stray) if stray else transport.end()
    pool = make_pool(dialer)
    with pytest.raises(UpstreamUnreachable, match="closed"):
        await pool.dial()
    await settle()
    assert pool.open_count == 0


@ROLES
async def test_a_request_past_the_bound_gets_a_503_that_names_the_setting(kind: Kind) -> None:
    """And the next one is served as soon as the connection is free."""

    gate = asyncio.Event()
    slow = (ReadBody(), Wait(gate), *GOOD[1:])
    options: dict[str, Any] = {"max_upstream_connections": 1, "upstream_wait_timeout": 0.2}
    async with (
        FakeUpstream(slow, GOOD) as upstream,
        serving(kind, upstream.url, **options) as stand,
        await stand.client() as first,
    ):
        await stand.send(first)
        await upstream.saw_body(0)
        refused = await stand.fresh()
        error = refused.json()["error"]
        assert (refused.status, error["code"], error["type"]) == (
            503, "upstream_pool_exhausted", "service_unavailable",
        )  # fmt: skip
        assert refused.header("retry-after") == "1" and "--max-upstream-connections" in error["message"]
        gate.set()
        assert (await first.response()).status == 200
        assert (await stand.fresh()).status == 200 and len(upstream.connections) == 1


class Waiter:
    """A `ConnectionWaiter` that keeps what it gets."""

    def __init__(self) -> None:
        self.connection: UpstreamConnection | None = None
        self.error: Exception | None = None

    def on_connection(self, connection: Connection) -> None:
        assert self.connection is None and self.error is None
        assert isinstance(connection, UpstreamConnection)
        self.connection = connection

    def on_connect_failed(self, error: Exception) -> None:
        assert self.connection is None and self.error is None
        self.error = error


class Bounded:
    """A pool of at most ``most`` connections, and a way to request some."""

    def __init__(self, most: int) -> None:
        self.clock = FakeClock()
        self.dialer = FakeDialer()
        self.pool = make_pool(
            self.dialer, limits=PoolLimits(max_connections=most, wait_seconds=5, setting="the.key")
        )

    def request(self) -> tuple[Waiter, ConnectionRequest]:
        waiter = Waiter()
        return waiter, self.pool.request(waiter, asyncio.get_running_loop().create_task, self.clock)

    async def connected(self, count: int) -> list[UpstreamConnection]:
        waiters = [self.request()[0] for _ in range(count)]
        await settle()
        return [waiter.connection for waiter in waiters if waiter.connection is not None]

    def finish(self, connection: UpstreamConnection, *, reusable: bool = True) -> None:
        connection.reusable = reusable
        self.pool.release(connection, self.clock())


async def test_a_burst_opens_no_more_connections_than_there_may_be() -> None:
    bounded = Bounded(3)
    assert len(await bounded.connected(10)) == 3 == bounded.dialer.dials
    assert repr(bounded.pool) == "<Pool http://upstream.example open=3 idle=0 waiting=7>"


@pytest.mark.parametrize("reusable", [True, False], ids=["idle", "gone"])
async def test_what_becomes_free_goes_to_the_first_that_waits(reusable: bool) -> None:
    """A connection that is idle again, or the place of one that ended."""
    bounded = Bounded(2)
    connections = await bounded.connected(2)
    waiters = [bounded.request()[0] for _ in range(3)]
    bounded.finish(connections[0], reusable=reusable)
    assert bounded.pool.acquire() is None, "a request that comes now is behind those that wait"
    await settle()
    assert [waiter.connection is not None for waiter in waiters] == [True, False, False]
    assert (waiters[0].connection is connections[0]) is reusable
    assert bounded.dialer.dials == (2 if reusable else 3)
    bounded.finish(connections[1], reusable=reusable)
    await settle()
    assert [waiter.connection is not None for waiter in waiters] == [True, True, False]
    assert bounded.pool.open_count == 2 and "waiting=1" in repr(bounded.pool)


async def test_an_idle_connection_that_went_stale_gives_its_place_away() -> None:
    bounded = Bounded(1)
    (connection,) = await bounded.connected(1)
    bounded.finish(connection)
    connection.data_received(b"stray")
    waiter, _ = bounded.request()
    waiting = repr(bounded.pool)
    await settle()
    assert "waiting=1" in waiting and waiter.connection not in (None, connection)


async def test_a_waiter_that_gives_up_leaves_the_queue_at_once() -> None:
    bounded = Bounded(1)
    (connection,) = await bounded.connected(1)
    (first, request), (second, _) = bounded.request(), bounded.request()
    request.cancel()
    assert "waiting=1" in repr(bounded.pool)
    bounded.finish(connection)
    await settle()
    assert first.connection is None and second.connection is connection


async def test_a_dial_that_is_given_up_gives_its_place_away() -> None:
    bounded = Bounded(1)
    bounded.dialer.held = True
    (first, request), (second, _) = bounded.request(), bounded.request()
    await settle()
    request.cancel()
    bounded.dialer.let_dial()
    await settle()
    assert first.connection is None and second.connection is not None and bounded.pool.open_count == 1


async def test_a_dial_that_is_given_up_before_it_began_gives_its_place_away() -> None:
    bounded = Bounded(1)
    (_, request), (second, _) = bounded.request(), bounded.request()
    request.cancel()
    await settle()
    assert second.connection is not None and bounded.dialer.dials == 1


async def test_a_dial_that_fails_is_that_requests_failure_alone() -> None:
    bounded = Bounded(1)
    bounded.dialer.error = UpstreamUnreachable("refused")
    (first, _), (second, _) = bounded.request(), bounded.request()
    await asyncio.sleep(0)
    assert isinstance(first.error, UpstreamUnreachable)
    bounded.dialer.error = None
    await settle()
    assert second.connection is not None


async def test_who_waits_for_too_long_learns_of_the_limit_and_its_setting() -> None:
    bounded = Bounded(1)
    await bounded.connected(1)
    bounded.clock.time = 100.0
    _, request = bounded.request()
    assert request.expired(104.9) is None and request.dial_started_at is None
    error = request.expired(105.0)
    assert error is not None and (error.code, error.retry_after) == ("upstream_pool_exhausted", 1)
    assert error.message == (
        "http://upstream.example: all 1 connections were in use for 5 s; "
        "raise the.key if the upstream can take more"
    )


async def test_a_dial_has_the_connect_limit_and_not_the_one_of_the_queue() -> None:
    bounded = Bounded(1)
    bounded.clock.time = 7.0
    _, request = bounded.request()
    assert request.dial_started_at == 7.0 and request.expired(1000.0) is None


async def test_a_probe_is_not_bounded() -> None:
    """It has to work when the pool is full, and says so by being counted."""
    bounded = Bounded(1)
    await bounded.connected(1)
    await bounded.pool.dial()
    assert bounded.pool.open_count == 2


async def test_who_waits_in_a_retired_pool_is_still_served() -> None:
    bounded = Bounded(1)
    (connection,) = await bounded.connected(1)
    waiter, _ = bounded.request()
    bounded.pool.retire()
    bounded.finish(connection)
    await settle()
    assert waiter.connection is not None and waiter.connection is not connection


async def test_many_streams_of_one_upstream_take_no_more_of_the_loop_than_one() -> None:
    """In each turn of the loop one of them handles a part of what it has read."""
    dialer = FakeDialer()
    pool = make_pool(dialer)
    handlers = [FakeHandler() for _ in range(5)]
    event = chunked(b"data: {}\n\n")
    for handler in handlers:
        (await pool.dial()).start_response(handler, head_only=False)
        dialer.transport().receive(STREAM_HEAD)
    for number in range(5):
        dialer.transport(number).receive(event * 3000)
    before, turns = 0, []
    for _ in range(60):
        await asyncio.sleep(0)
        turns.append(sum(len(handler.body) for handler in handlers) - before)
        before += turns[-1]
    assert max(turns) <= TURN_BYTES
    assert [handler.body for handler in handlers] == [b"data: {}\n\n" * 3000] * 5
    assert all(dialer.transport(number).reading for number in range(5))
