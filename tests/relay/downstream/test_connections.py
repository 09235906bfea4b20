"""A listener's clients: how long each stage may take, how many there may be, and that each is counted out again."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

import pytest

from clawgate.errors import RequestTimedOut
from clawgate.policy.authentication import GuessDelay
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.rate_limit import RateLimiter, RateRule
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.plan import ModelAllowlist
from clawgate.relay.downstream import client_timeouts
from clawgate.relay.downstream import connections as front
from clawgate.relay.downstream.connections import REJECTED_CONNECTIONS
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.interfaces import RequestHead
from tests.e2e.stand import CLIENT_TOKEN, KINDS, Kind, arrived, serving, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Drip, Hold, ReadBody
from tests.peers.upstream import FakeUpstream
from tests.relay.fake_listener import BEARER, Client, Listener, request, turns
from tests.relay.fakes import OK, FakeClock

ROLES = pytest.mark.parametrize("kind", KINDS)
GOOD = faults.json_response({"next": "fine"})
SOON = 0.2


@ROLES
async def test_a_connection_that_says_nothing_is_closed(kind: Kind) -> None:
    """Within the limit of a head, without a word: nobody asked anything."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"head_seconds": SOON}) as stand,
        await stand.client() as client,
    ):
        assert (await client.ended()).trailing == b""
        await stand.all_quiet()


@ROLES
@pytest.mark.parametrize("how", ["at once", "drip"])
async def test_half_a_head_is_refused_in_time(how: str, kind: Kind) -> None:
    """408, however steadily its bytes drip: the limit is for the whole head."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"head_seconds": SOON}) as stand,
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


@ROLES
async def test_a_body_that_stops_is_refused_in_time(kind: Kind) -> None:
    """408 for the rest that does not come, and the upstream is freed."""
    async with (
        FakeUpstream((ReadBody(), Hold()), GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"body_idle_seconds": SOON}) as stand,
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


@ROLES
async def test_a_body_that_drips_is_taken(kind: Kind) -> None:
    """The limit is for a pause, not for the whole body."""
    clock = FakeClock()
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, clock=clock, client_limits={"body_idle_seconds": 1}) as stand,
        await stand.client() as client,
    ):
        fields = (*stand.fields, ("Content-Type", "application/json"), ("Content-Length", "8"))
        await client.request(method="POST", fields=fields)
        request = await upstream.saw_request(0)
        for count in range(1, 9):
            await client.send(b"x")
            await arrived(request, b"x" * count)
            clock.time += 0.9
            stand.role.connections.check_timeouts()
        assert (await client.response()).status == 200


@ROLES
async def test_a_kept_connection_is_closed_after_its_limit(kind: Kind) -> None:
    """Counted from the answer, not from the connection."""
    clock = FakeClock()
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, clock=clock, client_limits={"keep_alive_seconds": 30}) as stand,
        await stand.client() as client,
    ):
        for _ in range(2):
            clock.time += 29
            assert (await stand.ask(client)).status == 200
        clock.time += 29
        stand.role.connections.check_timeouts()
        assert (await stand.ask(client)).status == 200
        clock.time += 30
        stand.role.connections.check_timeouts()
        assert (await client.ended()).how == "fin"


@ROLES
async def test_a_long_answer_is_not_a_kept_connection(kind: Kind) -> None:
    """No limit of the client_limits runs while an answer is under way."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    clock = FakeClock()
    async with (
        FakeUpstream(faults.sse_gated(gates)) as upstream,
        serving(kind, upstream.url, clock=clock) as stand,
        await stand.client() as client,
    ):
        await stand.send(client)
        await upstream.saw_body(0)
        for gate, frame in zip(gates, faults.CHAT_FRAMES, strict=True):
            clock.time += 100
            stand.role.connections.check_timeouts()
            gate.set()
            await client.saw(frame)
        response = await client.response()
        assert response.complete and response.events()[-1] == "[DONE]"


@ROLES
async def test_a_client_that_never_reads_is_given_up(kind: Kind) -> None:
    """An answer that nobody takes frees the upstream after the limit of an idle body."""
    data = b"x" * 30_000_000
    async with (
        FakeUpstream((ReadBody(), Drip(faults.response(data), 1_000_000))) as upstream,
        serving(kind, upstream.url, client_limits={"body_idle_seconds": 0.3}) as stand,
        await stand.client(receive_buffer=4096) as client,
    ):
        client.stop_reading()
        await stand.send(client)
        await upstream.saw_close(0)
        await stand.all_quiet(kept=0)


@ROLES
async def test_strangers_make_room_for_strangers(kind: Kind) -> None:
    """Connections that have shown nothing are bounded, the oldest go first, and one that was admitted stays."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"unauthenticated": 10}) as stand,
        await stand.client() as known,
    ):
        assert (await stand.ask(known)).status == 200
        idle: list[RawClient] = [await stand.client() for _ in range(30)]
        await until(lambda: stand.role.connections.connection_count == 11, "the oldest to go")
        for client in idle[:20]:
            await client.ended()
        assert all(client.how_ended is None for client in idle[20:])
        assert (await stand.ask(known)).status == 200
        assert (await stand.ask(idle[-1])).status == 200
        for client in idle:
            await client.close()


@ROLES
async def test_to_ask_for_health_makes_nobody_known_where_tokens_are_wanted(kind: Kind) -> None:
    """Or who has no token could hold all connections that there may be; a bridge without tokens knows everybody."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"unauthenticated": 2}) as stand,
        await stand.client() as client,
    ):
        await client.request(target="/health")
        assert (await client.response()).status == 200
        others = [await stand.client() for _ in range(2)]
        expected = 3 if kind == "bridge" else 2
        await until(lambda: stand.role.connections.accepted_count == 3, "all to be accepted")
        await until(lambda: stand.role.connections.connection_count == expected, "the stranger to go")
        if kind == "server":
            await client.ended()
            fields = (*stand.fields, ("Connection", "keep-alive"))
            await others[0].request(target="/health", fields=fields)
            assert (await others[0].response()).json()["role"] == "server"
            others += [await stand.client() for _ in range(2)]
            await until(
                lambda: stand.role.connections.connection_count == 3, "a known one beside two strangers"
            )
            assert others[0].how_ended is None and others[3].how_ended is None
        for other in others:
            await other.close()


async def test_a_wrong_token_does_not_make_a_stranger_known() -> None:
    """On the server only a request that was let in counts."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving("server", upstream.url, client_limits={"unauthenticated": 2}) as stand,
        await stand.client() as client,
    ):
        await client.request(fields=(("Authorization", f"Bearer {CLIENT_TOKEN}x"),), body=b"{}")
        assert (await client.response()).status == 401
        others = [await stand.client() for _ in range(2)]
        await client.ended()
        for other in others:
            await other.close()
        assert upstream.requests == []


@ROLES
async def test_more_connections_than_there_may_be_are_told_so(kind: Kind) -> None:
    """503 with Retry-After, and room again once somebody has left."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"connections": 3}) as stand,
    ):
        inside = [await stand.client() for _ in range(3)]
        for client in inside:
            assert (await stand.ask(client)).status == 200
        async with await stand.client() as fourth:
            response = await fourth.response()
            assert response.status == 503 and response.json()["error"]["code"] == "overloaded"
            assert response.header("retry-after") == "1"
            await fourth.ended()
        for client in inside:
            assert (await stand.ask(client)).status == 200
        await inside.pop().close()
        await until(lambda: stand.role.connections.connection_count == 2, "one to go")
        assert (await stand.fresh()).status == 200
        for client in inside:
            await client.close()
        await stand.all_quiet()


async def test_who_is_turned_away_is_logged_and_gets_time_to_read_why_within_bounds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each; the time to read is for so many, so that they cannot become another crowd."""
    monkeypatch.setattr(front, "REJECTED_CONNECTIONS", 2)
    monkeypatch.setattr(client_timeouts, "LINGER_SECONDS", 600.0)
    caplog.set_level("WARNING")
    async with (
        FakeUpstream(GOOD) as upstream,
        serving("bridge", upstream.url, client_limits={"connections": 1}) as stand,
        await stand.client() as inside,
    ):
        assert (await stand.ask(inside)).status == 200
        late = [await stand.client() for _ in range(4)]
        for client in late:
            assert (await client.response()).status == 503
        # uvicorn's own list: the one inside and the two that may still read
        await until(lambda: len(stand.host.server_state.connections) == 3, "the rest to be closed")
        assert stand.role.connections.connection_count == 1
        assert (await stand.ask(inside)).status == 200
        for client in late:
            await client.close()
    lines = [record.message for record in caplog.records if "overloaded" in record.message]
    assert len(lines) == 4 and "1 connections are open" in lines[0]


@ROLES
async def test_a_request_that_finds_no_room_is_answered_and_not_reset(kind: Kind) -> None:
    """Closing a connection on which something is unread resets it, and the answer may be lost with that."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url, client_limits={"connections": 1}) as stand,
        await stand.client() as inside,
    ):
        assert (await stand.ask(inside)).status == 200
        loop = asyncio.get_running_loop()
        host, port = stand.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as late:  # the loop stands still until it has sent
            late.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            late.setblocking(False)
            received = b""
            while piece := await loop.sock_recv(late, 65_536):
                received += piece
        assert received.startswith(b"HTTP/1.1 503 ") and b"overloaded" in received


@ROLES
async def test_a_head_that_does_not_come_holds_up_no_stop(kind: Kind) -> None:
    """Who sends half a head could else make each stop last as long as the drain limit; it is told to try again."""
    async with (
        FakeUpstream(GOOD) as upstream,
        serving(kind, upstream.url) as stand,
        await stand.client() as half,
        await stand.client() as idle,
    ):
        await half.send(b"POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ")
        await until(lambda: stand.role.connections.busy_count == 1, "the head to begin")
        stand.role.connections.close_idle_connections()
        response = await half.response()
        assert response.status == 503 and response.json()["error"]["code"] == "gateway_unavailable"
        assert response.header("retry-after") == "1"
        await half.ended()
        assert (await idle.ended()).trailing == b""


@ROLES
async def test_closing_the_front_ends_everything(kind: Kind) -> None:
    """Clients, upstream connections and dials under way."""
    async with FakeUpstream((ReadBody(), Hold())) as upstream, serving(kind, upstream.url) as stand:
        client = await stand.client()
        await stand.send(client)
        await upstream.saw_request(0)
        stand.role.connections.close()
        await client.ended()
        await upstream.saw_close(0)
        await stand.all_quiet(kept=0)
        await client.close()


# Without a port: `Listener` has fake sockets


def unauthenticated(limit: int, **limits: int) -> Listener:
    return Listener(tokens=True, limits=ClientLimits(unauthenticated=limit, **limits))


@pytest.mark.anyio
async def test_the_oldest_unauthenticated_connection_makes_room() -> None:
    listener = unauthenticated(2)
    first, second, third = (listener.connect() for _ in range(3))
    assert first.transport.aborted and not second.transport.closed and not third.transport.closed
    assert listener.manager.connection_count == 2


@pytest.mark.anyio
async def test_unfinished_handshakes_count_as_unauthenticated_connections() -> None:
    """And like those the oldest makes room, be it a handshake or not."""
    listener = unauthenticated(2)
    first, aborted = listener.handshake(), []
    listener.manager.handshake_started(first, lambda: aborted.append(first))
    second = listener.connect()
    assert listener.manager.connection_count == 2
    third = listener.handshake()
    listener.manager.handshake_started(third, lambda: aborted.append(third))
    assert aborted == [first] and not second.transport.closed
    fourth = listener.handshake()
    listener.manager.handshake_started(fourth, lambda: aborted.append(fourth))
    assert aborted == [first] and second.transport.aborted
    assert listener.manager.connection_count == 2
    listener.manager.handshake_ended(first)
    assert listener.manager.connection_count == 2


@pytest.mark.anyio
async def test_a_finished_handshake_is_counted_once() -> None:
    listener = unauthenticated(2)
    protocol = listener.handshake()
    listener.manager.handshake_started(protocol, lambda: None)
    client = listener.connect(protocol=protocol)
    listener.manager.handshake_ended(protocol)
    assert (listener.manager.connection_count, listener.manager.accepted_count) == (1, 1)
    client.send(request(b"/v1/models", BEARER))
    others = [listener.connect() for _ in range(3)]
    assert others[0].transport.aborted and not client.transport.closed


@pytest.mark.anyio
async def test_a_failed_handshake_is_counted_out() -> None:
    listener = unauthenticated(2)
    for _ in range(10):
        protocol = listener.handshake()
        listener.manager.handshake_started(protocol, lambda: pytest.fail("no room is needed"))
        listener.manager.handshake_ended(protocol)
    assert listener.manager.connection_count == 0


@pytest.mark.anyio
async def test_silent_connections_do_not_lock_out_where_there_are_few_descriptors() -> None:
    """The limit of all connections may be smaller than that of the unauthenticated ones."""
    listener = unauthenticated(200, connections=3)
    known = listener.connect()
    known.send(request(b"/v1/models", BEARER))
    silent = [listener.connect() for _ in range(5)]
    assert [client.transport.aborted for client in silent] == [True, True, True, False, False]
    assert not known.transport.closed and listener.manager.connection_count == 3
    for client in silent[3:]:
        client.send(request(b"/v1/models", BEARER))
    late = listener.connect()
    assert late.statuses == [503]


@pytest.mark.anyio
async def test_handshakes_beyond_all_connections_are_aborted() -> None:
    """Some may finish, so that a client can read why it is rejected."""
    listener = unauthenticated(200, connections=2)
    known = [listener.connect() for _ in range(2)]
    for client in known:
        client.send(request(b"/v1/models", BEARER))
    aborted: list[RelayProtocol] = []
    started = [listener.handshake() for _ in range(REJECTED_CONNECTIONS + 3)]
    for one in started:
        listener.manager.handshake_started(one, partial(aborted.append, one))
    assert aborted == started[:3]
    assert listener.connect(protocol=started[-1]).statuses == [503]
    assert not any(client.transport.closed for client in known)


@pytest.mark.anyio
async def test_a_stop_does_not_wait_for_handshakes() -> None:
    listener = unauthenticated(2)
    protocol, aborted = listener.handshake(), []
    listener.manager.handshake_started(protocol, lambda: aborted.append(1))
    listener.manager.close_idle_connections()
    listener.manager.handshake_ended(protocol)
    assert aborted and listener.manager.connection_count == 0


@pytest.mark.anyio
async def test_a_lockout_of_one_address_does_not_send_others_through_admission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A head that was admitted is used again, unless its own address is locked out."""
    listener = Listener(tokens=True)
    friend, stranger = listener.connect(peer="192.0.2.7"), listener.connect(peer="192.0.2.8")
    admitted: list[str] = []
    admit = Admission.admit

    def counted(self: Admission, head: RequestHead, peer: str, now: float) -> object:
        admitted.append(peer)
        return admit(self, head, peer, now)

    monkeypatch.setattr(Admission, "admit", counted)
    good = request(b"/v1/models", BEARER)
    for client in (friend, stranger):
        await ask(listener, client, good)
    assert admitted == ["192.0.2.7", "192.0.2.8"]
    foe = listener.connect(peer="192.0.2.8")
    for _ in range(10):
        foe.send(request(b"/v1/models", b"Authorization: Bearer wrong"))
    admitted.clear()
    await ask(listener, friend, good)
    assert admitted == []
    stranger.send(good)
    assert admitted == ["192.0.2.8"] and stranger.statuses == [200, 429]


@pytest.mark.anyio
async def test_a_lockout_behind_a_trusted_proxy_is_of_the_forwarded_address() -> None:
    """Not of the proxy, whose connection carries them all."""
    listener = Listener(tokens=True, proxies=TrustedProxies.of(["10.0.0.9"]))
    proxy = listener.connect(peer="10.0.0.9")
    heads = [request(b"/v1/models", BEARER, b"X-Forwarded-For: 192.0.2.%d" % n) for n in (7, 8)]
    await ask(listener, proxy, heads[0])
    other = listener.connect(peer="10.0.0.9")
    for _ in range(10):
        other.send(request(b"/v1/models", b"Authorization: Bearer wrong", b"X-Forwarded-For: 192.0.2.8"))
    await ask(listener, proxy, heads[0])
    proxy.send(heads[1])
    assert proxy.statuses == [200, 200, 429]


async def ask(listener: Listener, client: Client, data: bytes) -> None:
    """One request and its response, on the upstream connection that is kept."""
    client.send(data)
    await turns()
    listener.dialer.transport().receive(OK)
    await turns()
    assert client.statuses[-1] == 200


MODELS = ModelAllowlist(frozenset({"m"}))
"""With these a body has to be read before it is sent."""


@pytest.mark.anyio
async def test_one_slow_upload_does_not_hold_up_the_bodies_of_others() -> None:
    """Most of it came at once, and now a byte comes every two seconds."""
    limits = ClientLimits(body_bytes=20 * 2**20, buffered_bytes=20 * 2**20)
    listener = Listener(model_allowlist=MODELS, limits=limits)
    slow, stalled, other, small = (listener.connect() for _ in range(4))
    for client in (slow, stalled):
        client.send(
            request(b"/v1/chat/completions", method=b"POST", body=b" " * 11 * 2**20, length=20 * 2**20)
        )
    body = b'{"model":"m","x":"' + b"x" * 2 * 2**20 + b'"}'
    parts = [body[at : at + 2**18] for at in range(0, len(body), 2**18)]
    other.send(request(b"/v1/chat/completions", method=b"POST", body=b"", length=len(body)))
    small.send(request(b"/v1/chat/completions", method=b"POST", body=b'{"model":"m"}'))
    await turns()
    assert len(listener.dialer.connections) == 1, "a small body does not wait"
    for second in range(10):
        while parts and other.send(parts[0]):
            parts.pop(0)
        listener.advance(1)
        if second % 2:
            slow.send(b" ")
    assert not parts
    await until(
        lambda: listener.dialer.transport().written.endswith(body), "the model to be read in a thread"
    )
    assert listener.manager.context.body_budget.used < 25 * 2**20
    for _ in range(140):
        listener.advance(1)
    assert slow.statuses == stalled.statuses == [408]


@pytest.mark.anyio
async def test_many_small_bodies_fit_into_the_memory_for_them() -> None:
    """1500 unfinished bodies of 1 MB are 1.5 GB."""
    listener = Listener(
        model_allowlist=MODELS, limits=ClientLimits(body_bytes=2**20, buffered_bytes=10 * 2**20)
    )
    unfinished = request(b"/v1/chat/completions", method=b"POST", body=b" " * 1_000_000, length=1_000_001)
    clients = [listener.connect() for _ in range(100)]
    for client in clients:
        client.send(unfinished)
    budget = listener.manager.context.body_budget
    unanswered = sum(not client.statuses for client in clients)
    assert budget.used <= 12 * 2**20 and budget.used // 1_000_000 == unanswered
    assert {status for client in clients for status in client.statuses} == {503}
    assert not clients[-1].statuses, "the newest is read"
    for client in clients:
        client.transport.peer_closes()
    await turns()
    assert budget.used == 0


@pytest.mark.anyio
async def test_a_rate_limit_holds_for_a_head_that_is_cached() -> None:
    """Each request is counted once, in and out, however its head was admitted."""
    listener = Listener(tokens=True, rates=RateLimiter(RateRule(concurrent=1)))
    first, second = listener.connect(), listener.connect()
    good = request(b"/v1/models", BEARER)
    for client in (first, second, first):
        await ask(listener, client, good)
    first.send(good)
    second.send(good)
    assert second.statuses == [200, 429]
    await turns()
    listener.dialer.transport().receive(OK)
    await ask(listener, second, good)
    assert first.statuses == [200] * 3 and second.statuses == [200, 429, 200]


@pytest.mark.anyio
async def test_a_guess_on_this_machine_waits_for_its_response_and_nobody_else_does() -> None:
    """What the client sends meanwhile comes after it; a client that leaves takes its response with it."""
    loop, timers = asyncio.get_running_loop(), []
    listener = Listener(tokens=True, local_guesses=GuessDelay(first=3))
    guess = request(b"/v1/models", b"Authorization: Bearer wrong")
    slow, gone, cut = (listener.connect() for _ in range(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_later", lambda delay, *call: timers.append((delay, call)))
        slow.send(guess)
        slow.send(request(b"/v1/models"))
        gone.send(guess)
        cut.send(request(b"/v1/models", b"Authorization: Bearer wrong", b"Content-Length: 5"))
    assert [delay for delay, _ in timers] == [3, 5, 5]
    await ask(listener, listener.connect(), request(b"/v1/models", BEARER))
    gone.transport.abort()
    cut.protocol.on_request_error(RequestTimedOut("too late"))
    await turns()
    assert slow.statuses == []
    for _, (call, error) in timers:
        call(error)
    await turns()
    assert (slow.statuses, gone.statuses, cut.statuses) == ([401, 401], [], [408])
