"""One exchange: its four named time limits, what counts as progress, and who is blamed."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from clawgate.errors import GatewayStopping, UpstreamMalformed
from clawgate.plugins.api.provider import MappedError
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import bearer
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.exchange.state import State
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.progress import KEEPALIVE_LIMIT
from clawgate.relay.response.writer import ProviderTraits, make_provider_writer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import Dialect
from tests.e2e.stand import KINDS, Kind, Stand, arrived, serving
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.script import DontReadBody, Drip, Hold, ReadBody, Send, Trickle, Wait
from tests.peers.upstream import FakeUpstream, SilentListener
from tests.relay.fakes import (
    OK,
    STREAM_HEAD,
    FakeAttempt,
    FakeClient,
    FakeClock,
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
async def test_connecting_takes_no_longer_than_its_limit(kind: Kind) -> None:
    """A host that answers no SYN: 504 with 'connect'."""
    with SilentListener(backlog_full=True) as listener:
        async with (
            serving(kind, listener.url, connect_timeout=0.2) as stand,
            await stand.client() as client,
        ):
            await stand.send(client)
            assert "0.2 s" in await expect_timed_out(stand, client, "connect")
            await client.close()
            await stand.all_quiet(kept=0)


@ROLES
async def test_a_resolver_that_never_answers_counts_as_connecting(kind: Kind) -> None:
    """The limit covers the look-up."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        await asyncio.get_running_loop().create_future()
        return []

    options: dict[str, Any] = {"dialer": Dialer(resolver), "connect_timeout": 0.2}
    async with (
        serving(kind, "http://nowhere.example", **options) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        await expect_timed_out(stand, client, "connect")


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
async def test_the_first_byte_has_a_limit(script: faults.Steps, kind: Kind) -> None:
    """Until the head of the response is complete: 504 with 'first_byte'."""
    async with (
        FakeUpstream(script, GOOD) as upstream,
        serving(kind, upstream.url, first_byte_timeout=0.25) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        await expect_timed_out(stand, client, "first_byte")
        await upstream.saw_close(0)
        stand.role.upstream.limits = TimeLimits()
        assert (await stand.ask(client)).json() == {"next": "fine"}


@ROLES
async def test_comments_do_not_reset_the_first_byte_limit(kind: Kind) -> None:
    """A proxy that pings proves that it lives, not that the model has begun: an error event, a broken end."""
    async with (
        FakeUpstream(faults.pings_only(0.02)) as upstream,
        serving(kind, upstream.url, first_byte_timeout=0.3) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        assert await expect_event(client, "first_byte") == []
        await upstream.saw_close(0)


@ROLES
async def test_comments_do_not_reset_the_idle_limit(kind: Kind) -> None:
    """They prove that a proxy lives, not that the model goes on; they reach the client all the same."""
    script = (ReadBody(), Send(STREAM + chunk(EVENT)), Trickle(chunk(b": ping\n\n"), 0.03))
    async with (
        FakeUpstream(script) as upstream,
        serving(kind, upstream.url, first_byte_timeout=9, idle_timeout=0.4) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        assert len(await expect_event(client, "idle")) == 1
        assert b": ping\n\n" in client.received
        await upstream.saw_close(0)


@ROLES
async def test_silence_within_a_stream_has_a_limit(kind: Kind) -> None:
    """An error event with 'idle' behind what came, then a broken end."""
    async with (
        FakeUpstream((ReadBody(), Send(STREAM + chunk(EVENT)), Hold())) as upstream,
        serving(kind, upstream.url, idle_timeout=0.2) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        assert await expect_event(client, "idle") == [EVENT.decode()[6:-2]]
        await upstream.saw_close(0)


@ROLES
async def test_silence_within_another_body_breaks_it(kind: Kind) -> None:
    """Where no event can be added, the end is broken and nothing else is said."""
    wire = faults.response(b'{"a":1}')
    async with (
        FakeUpstream(faults.stalls_after(wire, len(wire) - 2)) as upstream,
        serving(kind, upstream.url, idle_timeout=0.2) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        response = await client.response()
        assert not response.complete and response.body == b'{"a":'
        await upstream.saw_close(0)


@ROLES
async def test_a_whole_exchange_has_a_limit(kind: Kind) -> None:
    """A stream that never ends and never pauses: an error event with 'total'."""
    async with (
        FakeUpstream((ReadBody(), Send(STREAM), Trickle(chunk(EVENT), 0.01))) as upstream,
        serving(kind, upstream.url, total_timeout=0.4) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        assert await expect_event(client, "total")
        await upstream.saw_close(0)


@ROLES
async def test_the_limit_of_an_upload_that_stands_still_is_idle(kind: Kind) -> None:
    """An upstream that takes no more of the body is to blame: 504 with 'idle'."""
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


@ROLES
async def test_a_client_that_sends_slowly_is_not_blamed_on_the_upstream(kind: Kind) -> None:
    """While the rest of the body is the client's to send, the upstream owes nothing."""
    options: dict[str, Any] = {"first_byte_timeout": 20, "idle_timeout": 20}
    clock = FakeClock()
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, clock=clock, client_limits={"body_rate": 0}, **options) as stand,
        await stand.client() as client,
    ):
        fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "3"))
        await client.request(method="POST", fields=fields)
        request = await upstream.saw_request(0)
        for body in (b"a", b"ab", b"abc"):
            await client.send(body[-1:])
            await arrived(request, body)
            if body != b"abc":
                clock.time += 50
                stand.role.connections.check_timeouts()
        assert (await client.response()).json() == {"next": "fine"}
        assert upstream.requests[0].body == b"abc"


@ROLES
async def test_a_client_that_reads_slowly_is_not_blamed_on_the_upstream(kind: Kind) -> None:
    """Full buffers on its side stop the clock of 'idle'."""
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


@pytest.mark.parametrize(
    ("seen", "failure"),
    [(response(b"{}", 503), response(b"{}", 503)), (response(b"{}"), response(b""))],
    ids=["503", "an empty 200"],
)
async def test_a_head_that_was_seen_before_does_not_switch_the_fallback_off(
    seen: bytes, failure: bytes
) -> None:
    """No head may be remembered that lets the checks of its response be skipped."""
    relay = Relay()
    dialers = FakeDialer(), FakeDialer()
    first, second = (FakeAttempt(make_upstream(dialer)) for dialer in dialers)
    first.make_writer = refuses_empty(first)
    for _ in range(3):  # the first has no fallback, and its connection is kept
        await relay.post(FakeClient(), routed(FakeRouter(first)))
        dialers[0].transport().receive(seen)
    assert dialers[0].dials == 1
    client = FakeClient()
    await relay.post(client, routed(FakeRouter(first, second)))
    dialers[0].transport().receive(failure)
    await settle()
    dialers[1].transport().receive(OK)
    assert client.calls == ["complete"] and client.sent.endswith(b'{"ok":1}')


def refuses_empty(attempt: FakeAttempt) -> Callable[[ResponseHead], ResponseWriter]:
    """The check that `routing.attempt` makes of every head."""

    def make(head: ResponseHead) -> ResponseWriter:
        if head.length == 0:
            raise UpstreamMalformed("no content")
        options = ResponseOptions(
            http10=False,
            close=False,
            bodiless=False,
            secrets=(),
            attribution_headers=attempt.attribution_headers,
        )
        return PassthroughWriter(head, options)

    return make


HALF = STREAM_HEAD + chunked(b"data: {}\n\n")


async def test_a_failure_that_a_plugin_mapped_is_recorded_without_its_text() -> None:
    relay, dialer = Relay(observes_all=False), FakeDialer()
    attempt = FakeAttempt(make_upstream(dialer, credential=bearer("a-secret-of-ours")))
    options = ResponseOptions(
        http10=False,
        close=False,
        bodiless=False,
        secrets=attempt.upstream.secrets,
        attribution_headers=b"x-by: a\r\n",
    )
    attempt.make_writer = lambda head: make_provider_writer(
        head,
        options,
        ProviderTraits(
            origin="http://a.example",
            map_error=lambda status, body: MappedError(status=404, message="no such model, a-secret-of-ours"),
            upstream=Dialect.CHAT,
        ),
    )
    await relay.post(FakeClient(), routed(FakeRouter(attempt)))
    dialer.transport().receive(response(b"{}", 500))
    (record,) = relay.records
    assert (record.status, record.code, record.served) == (404, "upstream_failed", "up/m")
    assert record.reason == "the upstream reports an error (its text is not logged)" and record.sent > 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda exchange, transport: transport.lose(), "upstream_closed"),
        (lambda exchange, transport: transport.receive(b"nonsense"), "upstream_malformed"),
        (lambda exchange, transport: exchange.check_time(301.0), "upstream_timed_out"),
    ],
    ids=["cut", "malformed", "timed out"],
)
async def test_a_stream_that_breaks_is_recorded_once(
    end: Callable[[Exchange, FakeTransport], None], code: str
) -> None:
    """By an observer that is not interested in what succeeds."""
    relay, dialer, client = Relay(observes_all=False), FakeDialer(), FakeClient()
    exchange = await relay.post(client, routed(FakeRouter(FakeAttempt(make_upstream(dialer)))))
    dialer.transport().receive(HALF)
    exchange.check_time(0.0)
    end(exchange, dialer.transport())
    (record,) = relay.records
    assert (record.status, record.code, record.served) == (200, code, "up/m")
    assert record.reason and record.sent == len(client.sent) and client.calls == ["abort"]


KEEPALIVES = [b": ping\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b'data: {"type":"ping"}\n\n']


@pytest.mark.parametrize("keepalive", KEEPALIVES)
@pytest.mark.parametrize("together", [1, 2], ids=["a chunk a read", "two chunks a read"])
async def test_keepalives_in_the_middle_of_a_stream_are_no_progress(keepalive: bytes, together: int) -> None:
    """Neither where chunks pass unparsed nor where they are parsed."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    exchange = await relay.post(client, admitted(make_upstream(dialer)))
    event = chunked(b"data: {}\n\n")
    dialer.transport().receive(STREAM_HEAD + event)
    for second in range(0, 600, 20):
        relay.clock.time = second
        dialer.transport().receive((event if second < 200 else chunked(keepalive)) * together)
        exchange.check_time(second)
        if exchange.done:
            break
    assert (relay.clock.time, relay.records[0].code) == (480, "upstream_timed_out")
    assert "idle" in str(relay.records[0].reason) or "silent" in str(relay.records[0].reason)
    assert client.sent.count(b"ping") >= 14


@pytest.mark.parametrize("keepalive", KEEPALIVES)
async def test_keepalives_in_front_of_a_stream_are_not_its_beginning(keepalive: bytes) -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    limits = TimeLimits(first_byte=100, idle=50)
    exchange = await relay.post(client, admitted(make_upstream(dialer, limits=limits)))
    dialer.transport().receive(STREAM_HEAD)
    for second in range(0, 600, 10):
        relay.clock.time = second
        dialer.transport().receive(chunked(keepalive))
        exchange.check_time(second)
        if exchange.done:
            break
    assert relay.clock.time == 100 and "'first_byte'" in str(relay.records[0].reason)


MESSAGES_EVENT = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","content":[],"usage":{}}}\n\n'
)
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def routed_writer(attempt: FakeAttempt, *, dialect: Dialect = Dialect.MESSAGES, **traits: Any) -> None:
    """Have ``attempt`` write as a provider does."""
    options = ResponseOptions(
        http10=False,
        close=False,
        bodiless=False,
        secrets=(),
        attribution_headers=b"x-by: a\r\n",
        dialect=dialect,
    )
    given = ProviderTraits(origin="http://a.example", streams=True, assembles=True, **traits)
    attempt.passthrough = False
    attempt.make_writer = lambda head: make_provider_writer(head, options, given)


@pytest.mark.parametrize("pings", [False, True], ids=["silent", "with pings of its own in front"])
async def test_a_client_that_waits_is_kept_every_ten_seconds(pings: bool) -> None:
    """By the clock that is passed in, and not while the upstream sends."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    attempt = FakeAttempt(make_upstream(dialer))
    routed_writer(attempt)
    exchange = await relay.post(client, routed(FakeRouter(attempt)))
    dialer.transport().receive(STREAM_HEAD + chunked(MESSAGES_EVENT))
    kept_at = []
    for second in range(100):
        relay.clock.time = second
        before = len(client.sent)
        exchange.check_time(second)
        if PING in client.sent[before:]:
            kept_at.append(second)
        if pings and second < 50:
            dialer.transport().receive(chunked(PING))
    assert kept_at == ([60, 71, 82, 93] if pings else [10, 21, 32, 43, 54, 65, 76, 87, 98])
    assert not exchange.done and b"0\r\n\r\n" not in client.sent


async def test_a_client_that_does_not_read_is_not_sent_more() -> None:
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    attempt = FakeAttempt(make_upstream(dialer))
    routed_writer(attempt)
    exchange = await relay.post(client, routed(FakeRouter(attempt)))
    dialer.transport().receive(STREAM_HEAD + chunked(MESSAGES_EVENT))
    exchange.on_client_write_paused()
    for second in range(100):
        exchange.check_time(second)
    assert PING not in client.sent


@pytest.mark.parametrize("has_fallback", [False, True])
@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])
async def test_keeping_the_client_is_no_progress_of_the_upstream(
    dialect: Dialect, has_fallback: bool
) -> None:
    """Neither is what the upstream sends to keep us."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    attempt = FakeAttempt(make_upstream(dialer, limits=TimeLimits(first_byte=100, idle=50)))
    routed_writer(attempt, dialect=dialect, has_fallback=has_fallback)
    exchange = await relay.post(client, routed(FakeRouter(attempt)))
    dialer.transport().receive(STREAM_HEAD)
    for second in range(0, 600, 5):
        relay.clock.time = second
        dialer.transport().receive(chunked(PING))
        exchange.check_time(second)
        if exchange.done:
            break
    assert relay.clock.time == 100 and "'first_byte'" in str(relay.records[0].reason)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("later", [False, True], ids=["with the head", "behind the head"])
async def test_an_error_as_the_first_event_leads_to_the_fallback(size: int, later: bool) -> None:
    """However the bytes come; the client sees the good response alone."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    attempts = [FakeAttempt(make_upstream(dialer, name=name)) for name in ("one", "two")]
    for number, attempt in enumerate(attempts):
        routed_writer(attempt, dialect=Dialect.CHAT, has_fallback=number == 0)
    await relay.post(client, routed(FakeRouter(*attempts)))
    failed = b": hm\n\n" + b'data: {"error":{"message":"Provider returned error","code":502}}\n\n'
    first = dialer.transport()
    stream = STREAM_HEAD + chunked(failed)
    cut = len(STREAM_HEAD) if later else 0
    for piece in [stream[:cut], *(stream[at : at + size] for at in range(cut, len(stream), size))]:
        if piece and "abort" not in first.calls:
            first.receive(piece)
    assert client.sent == b"" and "abort" in first.calls
    await settle()
    dialer.transport().receive(STREAM_HEAD + chunked(EVENT) + chunked(b""))
    assert client.sent.count(b"HTTP/1.1") == 1 and EVENT in client.sent and client.calls == ["complete"]


async def test_a_stream_in_one_read_with_a_known_head_is_still_recognised() -> None:
    """The fast path of complete responses does not take it for one."""
    relay, dialer = Relay(), FakeDialer()
    upstream = make_upstream(dialer)
    sent = []
    for body in (b'{"a":1}', b'{"a":2}', b"data: {}\n\ndata: [DONE]\n\n"):
        client, attempt = FakeClient(), FakeAttempt(upstream)
        routed_writer(attempt, dialect=Dialect.CHAT)
        attempt.passthrough = True
        await relay.post(client, routed(FakeRouter(attempt)))
        dialer.transport().receive(response(body))
        sent.append(client.sent)
    assert (
        dialer.dials == 1 and b"application/json" in sent[1] and b"content-type: text/event-stream" in sent[2]
    )


async def test_a_stream_of_keepalives_alone_is_bounded_in_bytes() -> None:
    """At full speed it would keep the loop busy until its time limit."""
    relay, dialer, client = Relay(), FakeDialer(), FakeClient()
    await relay.post(client, admitted(make_upstream(dialer)))
    dialer.transport().receive(STREAM_HEAD)
    for _ in range(200):
        dialer.transport().receive(chunked(b": x\n\n" * 2000))
        await settle()  # it is handled in turns
        if relay.records:
            break
    (record,) = relay.records
    assert record.code == "upstream_malformed" and KEEPALIVE_LIMIT <= len(client.sent) < KEEPALIVE_LIMIT * 1.2


class Held(FakeAttempt):
    """An attempt whose request is made in a thread, once ``go`` is set."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(upstream)
        self.go = threading.Event()
        self.request = []
        self.offload = self._make

    def _make(self) -> bytes:
        assert self.go.wait(120)
        return b"{}"


class Staged:
    """An exchange that was brought to a state, and what it leads to."""

    def __init__(self) -> None:
        self.relay, self.dialer, self.client = Relay(), FakeDialer(), FakeClient()
        self.upstream = make_upstream(
            self.dialer, limits=TimeLimits(connect=5, first_byte=60, idle=30, total=600)
        )
        self.held = Held(self.upstream)
        self.exchange = self.relay.exchange(self.client, admitted(self.upstream))

    async def reach(self, state: State) -> None:
        client, dialer, exchange = self.client, self.dialer, self.exchange
        if state is State.PREPARING:
            self.exchange = await self.relay.post(client, routed(FakeRouter(self.held)))
            return
        exchange.start_request(b"head")
        exchange.request_body(b"{")
        if state is State.RECEIVING:
            return
        dialer.held = state is State.CONNECTING
        exchange.flush_request()
        await settle()
        if state in (State.CONNECTING, State.SENDING):
            return
        exchange.request_body(b"}")
        exchange.request_complete()
        exchange.flush_request()
        if state >= State.STREAMING:
            dialer.transport().receive(HALF)
            exchange.check_time(0.0)
        if state is State.DONE:
            dialer.transport().receive(chunked(b""))

    async def close(self) -> None:
        self.held.go.set()
        self.dialer.let_dial()
        while self.relay.tasks:
            await asyncio.wait(self.relay.tasks)
        await settle()


@pytest.fixture
async def staged() -> AsyncIterator[Staged]:
    found = Staged()
    yield found
    await found.close()
    assert found.upstream.pool.open_count == found.upstream.pool.idle_count, "no connection is forgotten"


@pytest.mark.parametrize("state", State)
async def test_an_exchange_shows_its_state(state: State, staged: Staged) -> None:
    await staged.reach(state)
    assert staged.exchange.state is state and staged.exchange.done is (state is State.DONE)
    assert f"<Exchange {state.name} POST /v1/chat/completions upstream=" in repr(staged.exchange)
    staged.exchange.client_disconnected()


@pytest.mark.parametrize("state", State)
async def test_a_client_that_leaves_frees_the_upstream_in_every_state(state: State, staged: Staged) -> None:
    """At once, and it is recorded once."""
    await staged.reach(state)
    records = len(staged.relay.records)
    staged.exchange.client_disconnected()
    staged.exchange.client_disconnected()
    assert staged.exchange.state is State.DONE and staged.exchange._connection is None
    assert len(staged.relay.records) == 1 and records == (state is State.DONE)
    assert staged.relay.records[0].code == (None if state is State.DONE else "client_left")
    await staged.close()
    assert staged.upstream.pool.open_count == (state is State.DONE)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DONE])
async def test_what_fails_in_every_state_is_told_in_its_form(state: State, staged: Staged) -> None:
    await staged.reach(state)
    staged.exchange.fail(GatewayStopping("stopping"))
    assert staged.client.calls == (["abort"] if state is State.STREAMING else ["error gateway_stopping"])
    staged.exchange.fail(GatewayStopping("again"))
    assert len(staged.client.calls) == len(staged.relay.records) == 1


@pytest.mark.parametrize(
    ("state", "limit", "at"),
    [
        (State.PREPARING, "total", 600.0),
        (State.CONNECTING, "connect", 5.0),
        (State.SENDING, "total", 600.0),
        (State.AWAITING_HEAD, "first_byte", 60.0),
        (State.STREAMING, "idle", 30.0),
    ],
)
async def test_each_state_has_its_time_limit(state: State, limit: str, at: float, staged: Staged) -> None:
    """By the time that is passed in, and not a moment earlier."""
    await staged.reach(state)
    staged.exchange.check_time(at - 0.01)
    assert not staged.relay.records
    staged.exchange.check_time(at)
    (record,) = staged.relay.records
    assert record.code == "upstream_timed_out" and f"'{limit}'" in str(record.reason)


async def test_an_upstream_that_does_not_take_the_request_has_the_idle_limit(staged: Staged) -> None:
    await staged.reach(State.SENDING)
    staged.dialer.connections[0].pause_writing()
    staged.exchange.check_time(30.0)
    assert "'idle'" in str(staged.relay.records[0].reason)


async def test_a_client_that_does_not_read_is_not_the_upstreams_silence(staged: Staged) -> None:
    """The reading of the upstream pauses with it, and its time begins anew."""
    await staged.reach(State.STREAMING)
    staged.exchange.on_client_write_paused()
    assert staged.exchange._flow.client_write_paused and not staged.dialer.transport().reading
    staged.exchange.check_time(100.0)
    assert not staged.relay.records
    staged.relay.clock.time = 100.0
    staged.exchange.on_client_write_resumed()
    assert staged.dialer.transport().reading
    staged.exchange.check_time(129.0)
    assert not staged.relay.records
    staged.exchange.check_time(130.0)
    assert staged.relay.records


async def test_time_does_not_run_for_an_upstream_that_is_not_chosen_yet() -> None:
    relay, client = Relay(), FakeClient()
    exchange = relay.exchange(client, routed(FakeRouter()))
    exchange.start_request(b"")
    exchange.check_time(10_000.0)
    assert exchange.state is State.RECEIVING and client.calls == []


@pytest.mark.parametrize("end", ["whole", "parsed", "error"])
async def test_an_exchange_is_freed_when_it_is_over(end: str) -> None:
    """At once: the garbage collector runs rarely (`app.run`), and an exchange holds the body of its request."""
    relay, dialer = Relay(), FakeDialer()
    attempt = FakeAttempt(make_upstream(dialer))
    exchange = await relay.post(FakeClient(), routed(FakeRouter(attempt)))
    if end == "error":
        dialer.transport().receive(b"nonsense")
    else:
        parts = [OK] if end == "whole" else [OK[:20], OK[20:]]
        for part in parts:
            dialer.transport().receive(part)
    assert exchange.done
    await settle()
    gone = weakref.ref(exchange)
    gc.disable()
    try:
        del exchange
        assert gone() is None
    finally:
        gc.enable()
