"""An upstream in memory: its exchange cannot tell it from another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from clawgate.errors import InvalidRequest
from clawgate.policy.timeouts import TimeLimits
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.event_stream import EventStreamWriter
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.sender import KEEPALIVE_SECONDS
from clawgate.relay.upstream.local import LocalResponse, LocalUpstream
from clawgate.relay.upstream.upstream import Upstream
from tests.relay.fakes import FakeAttempt, FakeClient, FakeRouter, Relay, routed, settle

STREAM = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json")]
EVENT = b'data: {"a":1}\n\n'
LIMITS = TimeLimits(first_byte=30, idle=20, total=100)

Respond = Callable[[LocalResponse], Awaitable[None]]


def attempt_of(respond: Respond) -> FakeAttempt:
    attempt = FakeAttempt(cast(Upstream, LocalUpstream("agent main", respond, LIMITS)))
    attempt.passthrough = False
    attempt.request = [b"run"]

    def writer(head: ResponseHead) -> ResponseWriter:
        options = ResponseOptions(http10=False, close=False, bodiless=False, secrets=())
        return (EventStreamWriter if head.length is None else PassthroughWriter)(head, options)

    attempt.make_writer = writer
    return attempt


async def posted(relay: Relay, client: FakeClient, respond: Respond) -> Exchange:
    return await relay.post(client, routed(FakeRouter(attempt_of(respond))))


async def stream_and_wait(response: LocalResponse) -> None:
    response.begin(200, STREAM, length=None)
    response.send(EVENT)
    await asyncio.get_running_loop().create_future()


async def test_a_body_reaches_the_client_with_its_length() -> None:
    async def respond(response: LocalResponse) -> None:
        response.begin(200, JSON, length=2)
        response.send(b"{}")

    client, relay = FakeClient(), Relay()
    exchange = await posted(relay, client, respond)
    assert exchange.done and client.calls == ["complete"]
    assert client.sent.startswith(b"HTTP/1.1 200 ") and client.sent.endswith(b"content-length: 2\r\n\r\n{}")
    assert [record.status for record in relay.records] == [200]


async def test_events_reach_the_client_as_they_are_sent() -> None:
    go_on = asyncio.Event()

    async def respond(response: LocalResponse) -> None:
        response.begin(200, STREAM, length=None)
        response.send(EVENT)
        await go_on.wait()
        response.send(b"data: [DONE]\n\n")

    client = FakeClient()
    exchange = await posted(Relay(), client, respond)
    assert EVENT in client.sent and b"[DONE]" not in client.sent and client.calls == []
    go_on.set()
    await settle()
    assert exchange.done and client.sent.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_an_error_before_the_head_has_a_status_of_its_own() -> None:
    async def respond(response: LocalResponse) -> None:
        raise InvalidRequest("no such agent")

    client = FakeClient()
    await posted(Relay(), client, respond)
    assert client.calls == ["error invalid_request"] and client.sent == b""


@pytest.mark.parametrize("error", [InvalidRequest("too late"), ValueError("a defect")], ids=repr)
async def test_an_error_behind_the_head_is_an_event_and_a_broken_transfer(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(response: LocalResponse) -> None:
        response.begin(200, STREAM, length=None)
        response.send(EVENT)
        raise error

    client = FakeClient()
    with caplog.at_level(logging.CRITICAL, "clawgate.relay"):
        await posted(Relay(), client, respond)
    assert client.calls == ["abort"] and b'data: {"error":' in client.sent
    assert not client.sent.endswith(b"0\r\n\r\n")


async def test_nothing_at_all_is_an_internal_error() -> None:
    async def respond(response: LocalResponse) -> None: ...

    client = FakeClient()
    await posted(Relay(), client, respond)
    assert client.calls == ["error internal_error"]


async def test_a_client_that_disconnects_cancels_it_at_once() -> None:
    ended: list[str] = []

    async def respond(response: LocalResponse) -> None:
        try:
            await stream_and_wait(response)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    relay = Relay()
    exchange = await posted(relay, FakeClient(), respond)
    exchange.client_disconnected()
    await settle()
    assert ended == ["cancelled"] and [record.status for record in relay.records] == [499]


async def test_nothing_is_sent_to_a_client_that_left() -> None:
    """Even by a coroutine that does not notice."""
    kept: list[LocalResponse] = []

    async def respond(response: LocalResponse) -> None:
        kept.append(response)
        await stream_and_wait(response)

    client = FakeClient()
    exchange = await posted(Relay(), client, respond)
    exchange.client_disconnected()
    before = client.sent
    kept[0].send(EVENT)
    assert client.sent == before


async def test_a_slow_client_makes_it_wait() -> None:
    sent: list[int] = []

    async def respond(response: LocalResponse) -> None:
        response.begin(200, STREAM, length=None)
        for number in range(3):
            await response.ready()
            sent.append(number)
            response.send(EVENT)
            await asyncio.sleep(0)

    exchange = await Relay().post(FakeClient(), routed(FakeRouter(attempt_of(respond))))
    assert sent == [0, 1, 2] and exchange.done
    sent.clear()
    client, relay = FakeClient(), Relay()
    exchange = relay.exchange(client, routed(FakeRouter(attempt_of(respond))))
    exchange.send_routed_request(b"{}")
    exchange.on_client_write_paused()
    await settle()
    assert sent == []
    exchange.on_client_write_resumed()
    await settle()
    assert sent == [0, 1, 2]


async def test_its_time_limits_are_those_of_every_upstream() -> None:
    client, relay = FakeClient(), Relay()

    async def respond(response: LocalResponse) -> None:
        await asyncio.get_running_loop().create_future()

    exchange = await posted(relay, client, respond)
    relay.clock.time = 29.0
    exchange.check_time(relay.clock.time)
    assert client.calls == []
    relay.clock.time = 31.0
    exchange.check_time(relay.clock.time)
    assert client.calls == ["error upstream_timed_out"]
    assert client.error is not None and client.error.message.startswith("agent main: no response within 30 s")


async def test_a_silent_stream_is_kept_alive() -> None:
    client, relay = FakeClient(), Relay()
    exchange = await posted(relay, client, stream_and_wait)
    for seconds in (1.0, 2.0 + KEEPALIVE_SECONDS):
        relay.clock.time = seconds
        exchange.check_time(seconds)
    assert client.sent.endswith(b": keep-alive\n\n\r\n")
    exchange.client_disconnected()


async def test_whoever_stops_the_task_stops_the_exchange() -> None:
    """A cancel that is not its exchange's own leaves no client waiting."""

    async def respond(response: LocalResponse) -> None:
        raise asyncio.CancelledError

    client = FakeClient()
    await posted(Relay(), client, respond)
    assert client.calls == ["error upstream_closed"]
