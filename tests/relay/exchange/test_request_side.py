"""The request half of an exchange: which connection it takes, what waits, and what is sent again."""

from __future__ import annotations

import asyncio
import logging

import pytest

from clawgate.errors import UpstreamUnreachable
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.exchange import attempts as attempts_module
from clawgate.relay.exchange import body_budget
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.exchange.request_stream import BODY_HIGH_WATER
from clawgate.relay.exchange.state import State
from clawgate.relay.upstream.pool import PoolLimits
from clawgate.relay.upstream.upstream import Upstream
from tests.relay.fakes import (
    OK,
    STREAM_HEAD,
    FakeAttempt,
    FakeClient,
    FakeDialer,
    FakeRouter,
    FakeTransport,
    Relay,
    admitted,
    chunked,
    make_upstream,
    response,
    routed,
    settle,
)

METHODS = [(b"POST", False), (b"GET", True), (b"HEAD", True), (b"PUT", True), (b"DELETE", True)]


async def warm(relay: Relay, upstream: Upstream) -> FakeTransport:
    """The transport of an idle connection that has served a request."""
    await relay.post(FakeClient(), admitted(upstream))
    (connection,) = upstream.pool._open
    transport = connection.transport
    assert isinstance(transport, FakeTransport)
    transport.receive(OK)
    transport.written = b""
    return transport


def fast(
    relay: Relay, client: FakeClient, upstream: Upstream, body: bytes = b"{}", **head: object
) -> Exchange:
    """The fast path: a request in one read, whose head was known."""
    known = admitted(upstream, **head)
    exchange = relay.exchange(client, known)
    data = b"POST /v1/x HTTP/1.1\r\n\r\n" + body
    exchange.send_complete_request(known.encode_head(len(body)), data, len(data) - len(body))
    return exchange


async def slow(
    relay: Relay, client: FakeClient, upstream: Upstream, body: bytes = b"{}", **head: object
) -> Exchange:
    return await relay.post(client, admitted(upstream, **head), body)


@pytest.mark.parametrize("path", ["fast", "slow"])
async def test_a_request_takes_an_idle_connection_and_is_sent_at_once(path: str) -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    transport = await warm(relay, upstream)
    exchange = fast(relay, client, upstream) if path == "fast" else await slow(relay, client, upstream)
    assert exchange.state is State.AWAITING_HEAD and dialer.dials == 1
    assert transport.written == b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"
    transport.receive(OK)
    assert client.calls == ["complete"]


@pytest.mark.parametrize("path", ["fast", "slow"])
async def test_without_an_idle_connection_one_is_opened(path: str) -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    dialer.held = True
    exchange = fast(relay, client, upstream) if path == "fast" else await slow(relay, client, upstream)
    await settle()
    assert exchange.state is State.CONNECTING
    dialer.let_dial()
    await settle()
    assert exchange.state.name == "AWAITING_HEAD" and dialer.transport().written.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("path", ["fast", "slow"])
@pytest.mark.parametrize(("method", "repeatable"), METHODS)
async def test_a_request_on_a_stale_connection_is_sent_again_only_where_that_is_safe(
    method: bytes, repeatable: bool, path: str
) -> None:
    """RFC 9112 section 9.3.1: a POST may have been executed although nothing of a response came."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    stale = await warm(relay, upstream)
    if path == "fast":
        fast(relay, client, upstream, method=method)
    else:
        await slow(relay, client, upstream, method=method)
    sent = stale.written
    stale.lose()
    await settle()
    if repeatable:
        assert client.calls == [] and dialer.dials == 2 and dialer.transport().written == sent
    else:
        assert client.calls == ["error upstream_closed"] and dialer.dials == 1


async def test_a_post_that_was_not_received_is_sent_again() -> None:
    """The kernel still held all of it when the connection ended."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    stale = await warm(relay, upstream)
    exchange = fast(relay, client, upstream)
    exchange.on_upstream_error(UpstreamUnreachable("reset"), no_response=True, not_received=True)
    await settle()
    assert dialer.dials == 2 and dialer.transport().written == stale.written
    dialer.transport().receive(OK)
    assert client.calls == ["complete"]


@pytest.mark.parametrize("received", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2]])
async def test_nothing_is_sent_again_once_a_byte_of_a_response_came(received: bytes) -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    stale = await warm(relay, upstream)
    fast(relay, client, upstream, method=b"GET")
    stale.receive(received)
    stale.lose()
    await settle()
    assert dialer.dials == 1 and client.calls in (["error upstream_closed"], ["abort"])


async def test_a_new_connection_that_ends_is_not_tried_again() -> None:
    """It was no stale one: the upstream refuses the request."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    await slow(relay, client, make_upstream(dialer), method=b"GET")
    dialer.transport().lose()
    await settle()
    assert client.calls == ["error upstream_closed"] and dialer.dials == 1


async def test_a_request_is_sent_again_once() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    stale = await warm(relay, upstream)
    fast(relay, client, upstream, method=b"GET")
    stale.lose()
    await settle()
    dialer.transport().lose()
    await settle()
    assert client.calls == ["error upstream_closed"] and dialer.dials == 2


async def test_a_client_waits_while_its_body_waits_for_a_connection() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    dialer.held = True
    exchange = relay.exchange(client, admitted(make_upstream(dialer)))
    exchange.start_request(b"head")
    exchange.request_body(b"x" * BODY_HIGH_WATER)
    exchange.flush_request()
    reading = [client.reading]
    exchange.request_body(b"x")
    exchange.flush_request()
    reading.append(client.reading)
    assert not exchange.awaits_client
    dialer.let_dial()
    await settle()
    assert [*reading, client.reading, exchange.awaits_client] == [True, False, True, True]
    assert exchange.state is State.SENDING
    assert dialer.transport().written == b"head" + b"x" * (BODY_HIGH_WATER + 1)


async def test_a_client_waits_while_the_upstream_does_not_read() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    exchange = relay.exchange(client, admitted(make_upstream(dialer)))
    exchange.start_request(b"head")
    exchange.flush_request()
    await settle()
    reading = []
    for call in (dialer.connections[0].pause_writing, dialer.connections[0].resume_writing):
        call()
        reading += [client.reading, exchange.awaits_client]
    assert reading == [False, False, True, True]


async def test_a_chunked_request_ends_with_its_last_chunk() -> None:
    relay, dialer = Relay(), FakeDialer()
    head = admitted(make_upstream(dialer), chunked=True, has_content_length=False, head=b"head ")
    await relay.post(FakeClient(), head, b"abc")
    assert dialer.transport().written == b"head 3\r\nabc\r\n0\r\n\r\n"


async def test_a_dial_that_fails_is_the_response() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    dialer.error = UpstreamUnreachable("refused")
    exchange = await slow(relay, client, make_upstream(dialer))
    assert client.calls == ["error upstream_unreachable"] and exchange.done


async def test_a_dial_that_fails_leads_to_the_next_attempt() -> None:
    relay, dialers, client = Relay(), (FakeDialer(), FakeDialer()), FakeClient()
    dialers[0].error = UpstreamUnreachable("refused")
    router = FakeRouter(*(FakeAttempt(make_upstream(dialer)) for dialer in dialers))
    await relay.post(client, routed(router))
    dialers[1].transport().receive(OK)
    assert client.calls == ["complete"] and router.failures == ["upstream_unreachable"]


@pytest.mark.parametrize("size", [1, 300_000], ids=["at once", "in a thread"])
async def test_what_a_router_did_not_foresee_is_an_internal_error(
    size: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets a response, and the log the reason."""

    class Broken(FakeRouter):
        def route(self, head: object, body: bytes) -> FakeRouter:
            raise ZeroDivisionError("of a plugin")

    monkeypatch.setattr(attempts_module, "OFFLOAD_BYTES", 100_000)
    relay, client = Relay(), FakeClient()
    with caplog.at_level(logging.ERROR, "clawgate"):
        await relay.post(client, routed(Broken()), b"x" * size)
        while relay.tasks:
            await asyncio.wait(relay.tasks)
    assert client.calls == ["error internal_error"] and "of a plugin" in caplog.text


async def test_an_attempt_under_way_is_cut_before_the_next_begins() -> None:
    relay, dialers, client = Relay(), (FakeDialer(), FakeDialer()), FakeClient()
    router = FakeRouter(*(FakeAttempt(make_upstream(dialer)) for dialer in dialers))
    exchange = await relay.post(client, routed(router))
    dialers[0].transport().receive(OK.replace(b"200 OK", b"503 No"))
    await settle()
    assert dialers[0].transport().calls == ["abort"]
    assert exchange.state is State.AWAITING_HEAD and "STREAMING" not in repr(exchange)


# The memory of bodies, see `body_budget`

LARGE = 100_000


def buffered() -> AdmittedHead:
    """A head whose body is buffered."""
    return routed(FakeRouter(FakeAttempt(make_upstream(FakeDialer()))))


def upload(relay: Relay, size: int) -> tuple[Exchange, FakeClient]:
    """An exchange of which ``size`` bytes of the body are here."""
    client = FakeClient()
    exchange = relay.exchange(client, buffered())
    exchange.start_request(b"")
    exchange.request_body(b"x" * size)
    return exchange, client


async def test_a_buffered_body_is_read_on_only_while_there_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_budget, "SMALL_BYTES", 0)
    relay = Relay(body_limit=LARGE, buffered=LARGE)
    first, _ = upload(relay, LARGE)
    second, waiting = upload(relay, 10)
    third, waiting_too = upload(relay, 10)
    assert [waiting.reading, waiting_too.reading] == [True, False]
    assert second.awaits_client and not third.awaits_client
    first.client_disconnected()
    assert waiting_too.reading and third.awaits_client


async def test_a_body_without_memory_gets_a_response_that_says_so() -> None:
    relay = Relay(body_limit=LARGE, buffered=LARGE)
    stalled, _ = upload(relay, LARGE)
    clients = [upload(relay, LARGE)[1] for _ in range(3)]
    assert stalled.done and relay.records[0].status == 503 and relay.records[0].code == "overloaded"
    assert relay.context.body_budget.used == 3 * LARGE and not any(client.calls for client in clients)


async def test_a_routed_body_is_counted_until_its_response_begins() -> None:
    """Twice: as it came, for a fallback, and as it is sent."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    router = FakeRouter(FakeAttempt(make_upstream(dialer)))
    await relay.post(client, routed(router), b"x" * LARGE)
    assert (relay.context.body_budget.used, router.discarded) == (2 * LARGE, False)
    dialer.transport().receive(STREAM_HEAD + chunked(b"data: {}\n\n"))
    assert (relay.context.body_budget.used, router.discarded) == (0, True)
    assert client.sent and not client.calls


async def test_a_body_is_kept_while_a_fallback_may_need_it() -> None:
    relay, dialer = Relay(), FakeDialer()
    attempts = [FakeAttempt(make_upstream(dialer)) for _ in range(2)]
    router = FakeRouter(*attempts)
    await relay.post(FakeClient(), routed(router), b"x" * LARGE)
    dialer.transport().receive(response(b"{}", 503))
    await settle()
    assert dialer.dials == 2 and relay.context.body_budget.used == 2 * LARGE
    dialer.transport().receive(OK)
    assert relay.context.body_budget.used == 0


@pytest.mark.parametrize("ends", ["disconnect", "fail", "response"])
async def test_every_end_of_an_exchange_gives_its_memory_back(ends: str) -> None:
    relay, dialer = Relay(), FakeDialer()
    exchange = await relay.post(
        FakeClient(), routed(FakeRouter(FakeAttempt(make_upstream(dialer)))), b"x" * LARGE
    )
    assert relay.context.body_budget.used
    if ends == "disconnect":
        exchange.client_disconnected()
    elif ends == "fail":
        exchange.fail(UpstreamUnreachable("no"))
    else:
        dialer.transport().receive(OK)
    assert exchange.done and relay.context.body_budget.used == 0


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("path", ["fast", "slow"])
async def test_a_large_request_is_kept_for_a_replay_only_where_there_is_memory(path: str, room: bool) -> None:
    relay, dialer, client = Relay(buffered=3 * LARGE), FakeDialer(), FakeClient()
    if not room:
        upload(relay, 3 * LARGE + 1)
    used = relay.context.body_budget.used
    upstream = make_upstream(dialer)
    transport = await warm(relay, upstream)
    body = b"x" * LARGE
    exchange = (
        fast(relay, client, upstream, body) if path == "fast" else await slow(relay, client, upstream, body)
    )
    assert (relay.context.body_budget.used > used) is room or path == "slow"
    kept = exchange._sent_whole is not None or exchange._request.can_replay
    assert kept is room
    transport.lose()
    await settle()
    assert dialer.dials == 1, "a POST may have been received"
    assert client.calls == ["error upstream_closed"] and relay.context.body_budget.used == used


async def test_a_small_request_costs_no_accounting() -> None:
    relay, dialer = Relay(), FakeDialer()
    upstream = make_upstream(dialer)
    await warm(relay, upstream)
    fast(relay, FakeClient(), upstream)
    assert relay.context.body_budget.used == 0


async def bounded(relay: Relay, dialer: FakeDialer) -> Upstream:
    """An upstream with one connection, which is in use."""
    upstream = make_upstream(dialer, pool_limits=PoolLimits(max_connections=1, wait_seconds=5))
    await relay.post(FakeClient(), admitted(upstream))
    return upstream


@pytest.mark.parametrize("path", ["fast", "slow"])
async def test_past_the_bound_a_request_waits_for_a_connection(path: str) -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = await bounded(relay, dialer)
    exchange = fast(relay, client, upstream) if path == "fast" else await slow(relay, client, upstream)
    await settle()
    assert exchange.state is State.CONNECTING and "waiting=1" in repr(upstream.pool)
    dialer.transport().written = b""
    dialer.transport().receive(OK)
    await settle()
    assert exchange.state.name == "AWAITING_HEAD" and dialer.dials == 1
    assert dialer.transport().written.endswith(b"\r\n\r\n{}")
    dialer.transport().receive(OK)
    assert client.calls == ["complete"]


async def test_a_client_that_leaves_leaves_the_queue() -> None:
    relay, dialer = Relay(), FakeDialer()
    upstream = await bounded(relay, dialer)
    exchange = fast(relay, FakeClient(), upstream)
    exchange.client_disconnected()
    assert "waiting=0" in repr(upstream.pool) and relay.records[-1].code == "client_left"
    dialer.transport().receive(OK)
    await settle()
    assert upstream.pool.idle_count == 1


async def test_who_waits_for_too_long_gets_an_error_of_its_own() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    exchange = fast(relay, client, await bounded(relay, dialer))
    exchange.check_time(4.9)
    assert client.calls == []
    exchange.check_time(5.0)
    assert client.calls == ["error upstream_pool_exhausted"] and client.error is not None
    assert client.error.retry_after == 1


async def test_a_pool_without_room_leads_to_the_fallback() -> None:
    relay, dialers, client = Relay(), (FakeDialer(), FakeDialer()), FakeClient()
    router = FakeRouter(FakeAttempt(await bounded(relay, dialers[0])), FakeAttempt(make_upstream(dialers[1])))
    exchange = await relay.post(client, routed(router))
    exchange.check_time(5.0)
    await settle()
    dialers[1].transport().receive(OK)
    assert client.calls == ["complete"] and router.failures == ["upstream_pool_exhausted"]


async def test_a_client_that_waited_with_its_body_is_read_again_with_a_freed_connection() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = await bounded(relay, dialer)
    exchange = relay.exchange(client, admitted(upstream))
    exchange.start_request(b"head")
    exchange.flush_request()
    exchange.request_body(b"x" * (BODY_HIGH_WATER + 1))
    exchange.flush_request()
    reading = client.reading
    dialer.transport().receive(OK)
    await settle()
    assert (reading, client.reading, exchange.state) == (False, True, State.SENDING)


async def test_a_client_is_read_again_although_the_stale_connection_had_been_full() -> None:
    """That a connection takes no more has no meaning for the one that takes its place."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    await warm(relay, upstream)
    exchange = relay.exchange(client, admitted(upstream))
    exchange.start_request(b"head")
    exchange.request_body(b"part")
    exchange.flush_request()
    dialer.connections[0].pause_writing()
    reading = client.reading
    exchange.on_upstream_error(UpstreamUnreachable("stale"), no_response=True, not_received=True)
    await settle()
    assert (reading, client.reading, exchange.awaits_client) == (False, True, True)
    assert dialer.transport().written == b"headpart" and dialer.dials == 2


async def test_a_request_that_is_being_sent_gives_up_its_copies_when_memory_runs_out() -> None:
    relay, dialer, client = Relay(buffered=LARGE), FakeDialer(), FakeClient()
    upstream = make_upstream(dialer)
    await warm(relay, upstream)
    exchange = relay.exchange(client, admitted(upstream))
    exchange.start_request(b"head ")
    for _ in range(2):
        exchange.request_body(b"x" * 20_000)
        exchange.flush_request()
    before = exchange._request.can_replay, relay.context.body_budget.used
    upload(relay, LARGE)
    exchange.request_body(b"x" * 20_000)
    exchange.flush_request()
    assert before == (True, 80_005) and not exchange._request.can_replay
    assert relay.context.body_budget.used == LARGE + 20_000


async def test_a_body_that_waits_for_a_connection_is_counted() -> None:
    relay, dialer = Relay(), FakeDialer()
    exchange = fast(relay, FakeClient(), await bounded(relay, dialer), b"x" * 20_000)
    assert relay.context.body_budget.used > 20_000
    exchange.client_disconnected()
    assert relay.context.body_budget.used == 0
