"""What a client gets and when its connection ends, in order and in time."""

from __future__ import annotations

import gc
import socket
import struct
import weakref
from typing import cast

import pytest

from clawgate.errors import GatewayStopping
from clawgate.relay.downstream import client_timeouts
from clawgate.relay.downstream.client_timeouts import LINGER_SECONDS, Phase
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.exchange.exchange import Exchange
from tests.relay.fake_listener import BEARER, Client, Listener, request, turns
from tests.relay.fakes import OK, STREAM_HEAD, chunked, response

pytestmark = pytest.mark.anyio

REFUSED = request(b"/x")
"""Rejected without a token: there is no such route."""
UPLOAD = request(b"/v1/x", method=b"POST", body=b"{", length=1_000_000)
"""The beginning of a body that is sent on as it comes."""
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_connection_knows_what_it_waits_for() -> None:
    listener = Listener()
    client = listener.connect()
    phases = [client.protocol.phase]
    client.send(request()[:10])
    phases.append(client.protocol.phase)
    client.send(request()[10:])
    phases.append(client.protocol.phase)
    await turns()
    listener.dialer.transport().receive(OK)
    phases.append(client.protocol.phase)
    client.send(UPLOAD)
    await turns()
    phases.append(client.protocol.phase)
    assert phases == [Phase.FIRST_REQUEST, Phase.HEAD, Phase.UPSTREAM, Phase.NEXT_REQUEST, Phase.BODY]
    client.transport.close()
    assert client.protocol.phase is Phase.CLOSING


@pytest.mark.parametrize(
    ("sent", "setting", "statuses"),
    [(b"", "head_seconds", []), (REFUSED[:9], "head_seconds", [408]), (UPLOAD, "body_idle_seconds", [408])],
)
async def test_a_client_that_sends_nothing_more_is_given_up(
    sent: bytes, setting: str, statuses: list[int]
) -> None:
    listener = Listener()
    client = listener.connect()
    if sent:
        client.send(sent)
    await turns()
    listener.advance(getattr(listener.manager.limits, setting) - 0.1)
    assert not client.transport.closed and not client.statuses
    listener.advance(0.1)
    assert client.statuses == statuses
    listener.advance(LINGER_SECONDS)
    assert client.transport.closed


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
async def test_an_error_event_can_be_read_before_the_broken_end(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fetch of JavaScript throws away what it holds when the connection breaks."""
    monkeypatch.setattr(client_timeouts, "ERROR_READ_SECONDS", seconds)
    listener = Listener()
    client = listener.connect()
    client.send(request())
    await turns()
    upstream = listener.dialer.transport()
    upstream.receive(STREAM_HEAD + chunked(b"data: {}\n\n"))
    upstream.end()
    await turns()
    assert b'"upstream_closed"' in client.received and not client.received.endswith(b"0\r\n\r\n")
    assert client.transport.closed is (seconds == 0)
    assert seconds == 0 or client.protocol.phase is Phase.LINGERING
    client.send(request())  # of a client that sends ahead; no more is read
    await turns()
    assert client.statuses == [200]
    listener.advance(LINGER_SECONDS)
    assert client.transport.closed


async def test_a_kept_connection_has_its_own_limit_from_its_last_response_on() -> None:
    listener = Listener()
    client = listener.connect()
    client.send(request())
    await turns()
    listener.advance(50)
    listener.dialer.transport().receive(OK)
    listener.advance(listener.manager.limits.keep_alive_seconds - 0.1)
    before = client.transport.closed
    listener.advance(0.1)
    assert client.transport.closed and not before and client.statuses == [200]


async def test_a_body_below_the_least_rate_ends() -> None:
    """A byte now and then is no pause, but no upload either."""
    listener = Listener(limits=ClientLimits(body_idle_seconds=10, body_rate=100, body_rate_seconds=60))
    client = listener.connect()
    client.send(UPLOAD)
    await turns()
    for _ in range(29):
        listener.advance(2)
        client.send(b"x")
    assert not client.statuses
    for _ in range(2):
        listener.advance(2)
    assert client.statuses == [408] and b"100 bytes per second" in client.received
    assert listener.records[-1].code == "request_timed_out"


async def test_a_body_is_not_measured_while_the_upstream_takes_no_more_of_it() -> None:
    """Its client is not read then, so it cannot be too slow."""
    listener = Listener(limits=ClientLimits(body_seconds=60, body_rate_seconds=10))
    client = listener.connect()
    client.send(UPLOAD)
    await turns()
    listener.manager.check_timeouts()
    exchange = client.protocol._exchange
    assert exchange is not None
    exchange.on_upstream_write_paused()
    for _ in range(100):
        listener.advance(1)
    assert client.transport.reading_paused and not client.statuses
    exchange.on_upstream_write_resumed()
    listener.advance(5)
    client.send(b"x" * 10_000)
    for _ in range(20):
        listener.advance(5)
    assert client.statuses == [408]


async def test_a_whole_body_has_a_limit_however_fast_it_comes() -> None:
    listener = Listener(limits=ClientLimits(body_seconds=30))
    client = listener.connect()
    client.send(UPLOAD)
    await turns()
    for _ in range(31):
        listener.advance(1)
        client.send(b"x" * 10_000)
    assert client.statuses == [408] and b"within 30 s" in client.received


async def test_a_second_body_on_a_connection_is_measured_by_itself() -> None:
    listener = Listener(limits=ClientLimits(body_seconds=30))
    client = listener.connect()
    for _ in range(3):
        client.send(request(b"/v1/x", method=b"POST", body=b"x" * 10_000, length=30_000))
        await turns()
        for _ in range(20):
            listener.advance(1)
            client.send(b"x" * 1000)
        await turns()
        listener.dialer.transport().receive(OK)
        await turns()
    assert client.statuses == [200] * 3


async def test_a_client_that_hangs_up_while_it_is_not_read_is_noticed() -> None:
    """The loop does not look at a paused socket."""
    listener = Listener()
    client = listener.connect()
    client.send(UPLOAD)
    await turns()
    assert client.protocol._exchange is not None
    client.protocol._exchange.on_upstream_write_paused()
    listener.advance(1)
    before = client.transport.aborted
    client.transport.socket.hang_up()
    listener.advance(1)
    await turns()
    assert client.transport.aborted and not before and listener.dialer.transport().is_closing()
    assert listener.records[-1].code == "client_left"


async def test_a_rejected_body_is_read_and_discarded_for_a_moment() -> None:
    """Closing at once would reset the connection, and the response could be lost (RFC 9112 section 9.6)."""
    client = (listener := Listener()).connect()
    client.send(request(b"/x", method=b"POST", body=b"{", length=100_000))
    assert client.statuses == [404] and b"connection: close" in client.received.lower()
    assert client.transport.eof_written
    closed = client.transport.closed
    assert client.send(b"x" * 50_000)
    listener.advance(LINGER_SECONDS)
    assert client.transport.closed and not closed and client.statuses == [404]


async def test_a_broken_stream_is_no_complete_response() -> None:
    """No last chunk, and the connection ends."""
    listener = Listener()
    client = listener.connect()
    client.send(request())
    await turns()
    listener.dialer.transport().receive(STREAM_HEAD + chunked(b"data: {}\n\n"))
    listener.dialer.transport().lose()
    await turns()
    assert client.transport.closed and not client.received.endswith(b"0\r\n\r\n")


async def test_a_response_that_ends_with_its_connection_breaks_with_a_reset() -> None:
    """Nothing else tells a client of HTTP/1.0 that it is not whole."""
    listener = Listener()
    client = listener.connect()
    client.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
    await turns()
    listener.dialer.transport().receive(JSON_HEAD + chunked(b"{"))
    listener.dialer.transport().lose()
    await turns()
    linger = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert client.transport.aborted and linger in client.transport.socket.options


async def test_while_draining_each_response_is_the_last() -> None:
    listener = Listener()
    client = listener.connect()
    client.send(request())
    await turns()
    client.protocol.shutdown()
    listener.dialer.transport().receive(OK)
    assert b"connection: close" in client.received.lower() and client.transport.closed


async def test_while_draining_idle_connections_end_and_half_heads_are_rejected() -> None:
    listener = Listener()
    idle, half, busy = (listener.connect() for _ in range(3))
    half.send(REFUSED[:10])
    busy.send(request())
    await turns()
    for client in (idle, half, busy):
        client.protocol.close_if_idle()
    assert idle.transport.closed and not idle.received
    assert half.statuses == [503] and not busy.transport.closed


@pytest.mark.parametrize("grace", [0.0, 3600.0])
async def test_while_draining_a_client_that_was_just_served_gets_a_moment_for_its_next_request(
    grace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head was sent before and announced no end; the idle ones are closed at the very end of its response."""
    monkeypatch.setattr(client_timeouts, "IDLE_GRACE_SECONDS", grace)
    listener = Listener()
    client = listener.connect()
    client.send(request())
    await turns()
    upstream = listener.dialer.transport()
    upstream.receive(OK[:-1])
    listener.manager.begin_drain()
    upstream.receive(OK[-1:])
    listener.manager.close_idle_connections()
    assert client.statuses == [200] and not client.transport.closed
    await turns()
    assert client.transport.closed is (grace == 0)
    if grace:
        client.send(request()[:10])
        listener.manager.close_idle_connections()
        client.send(request()[10:])
        await turns()
        listener.dialer.transport().receive(OK)
        assert client.statuses == [200, 200] and b"connection: close" in client.received.lower()


async def test_a_connection_that_is_accepted_while_draining_gets_the_same_moment() -> None:
    """As after a TLS handshake, or from the backlog."""
    listener = Listener()
    listener.manager.begin_drain()
    late = listener.connect()
    listener.manager.close_idle_connections()
    assert not late.transport.closed


@pytest.mark.parametrize("sent", [b"", REFUSED[:10]])
async def test_no_connection_is_closed_over_bytes_that_were_not_read_yet(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that got no time for a while runs its timers before it reads."""
    monkeypatch.setattr(client_timeouts, "IDLE_GRACE_SECONDS", 0.0)
    listener = Listener()
    client = listener.connect()
    client.send(sent)
    client.transport.socket.peer_sends(b"GET ")
    client.protocol.close_if_idle()
    await turns()
    before = client.transport.closed, client.statuses
    assert client.transport.socket.read() == b"GET "
    await turns()
    assert before == (False, [])
    assert (client.transport.closed, client.statuses) == ((False, [503]) if sent else (True, []))


async def test_a_kept_connection_is_not_closed_over_a_request_that_was_not_read_yet() -> None:
    listener = Listener()
    client = listener.connect()
    client.transport.socket.peer_sends(b"GET ")
    listener.advance(listener.manager.limits.head_seconds)
    before = client.transport.closed
    client.transport.socket.read()
    listener.advance(0)
    assert client.transport.closed and not before


async def test_who_was_rejected_and_still_sends_is_not_waited_for() -> None:
    """Only where a request may begin, bytes that are here matter."""
    listener = Listener()
    client = listener.connect()
    client.send(request(b"/v1/x", b"Host: evil.example", method=b"POST", length=10**9))
    await turns()
    assert client.protocol.phase is Phase.LINGERING
    client.transport.socket.peer_sends(b"x" * 1000)
    listener.advance(LINGER_SECONDS)
    assert client.transport.closed


async def test_after_the_drain_limit_everything_ends_visibly() -> None:
    listener = Listener()
    busy, idle = listener.connect(), listener.connect()
    busy.send(request())
    await turns()
    listener.manager.stop_all(GatewayStopping("the gateway is stopping"))
    assert busy.statuses == [503] and idle.transport.closed


async def test_a_rejection_is_recorded_with_its_request_and_time() -> None:
    listener = Listener(tokens=True)
    client = listener.connect()
    client.send(request(b"/v1/files?x=secret", BEARER + b"x")[:-2])
    listener.advance(3)
    client.send(b"\r\n")
    (record,) = listener.records
    assert (record.method, record.path, record.status, record.code) == (
        b"GET",
        b"/v1/files",
        401,
        "invalid_token",
    )
    assert record.total == 3 and record.sent == len(client.received)


async def test_bytes_that_are_no_request_get_one_response_whatever_was_before() -> None:
    """Not one to a HEAD, without a body, because that was the last request that could be read."""
    listener = Listener()
    client = listener.connect()
    client.send(request(b"/x", method=b"HEAD"))
    client.send(b"nonsense\r\n\r\n")
    assert client.statuses == [404, 400] and client.received.endswith(b"}")


async def test_a_client_that_takes_no_response_is_closed_in_time() -> None:
    """Also between two requests, where no exchange watches it."""
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(REFUSED * 4000)
    await turns(5000)
    assert client.transport.writing_paused
    listener.advance(listener.manager.limits.body_idle_seconds - 1)
    assert not client.transport.closed
    listener.advance(1)
    assert client.transport.aborted


async def test_a_stop_does_not_wait_for_a_client_that_takes_no_response() -> None:
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(REFUSED * 4000)
    await turns(5000)
    for connection in list(listener.manager._connections):
        connection.shutdown()
    client.transport.peer_takes_all()
    await turns()
    assert client.transport.eof_written
    listener.advance(LINGER_SECONDS)
    assert client.transport.closed


async def test_the_end_of_a_long_response_has_time_to_be_sent() -> None:
    """The time limit of a closing connection begins with its closing, not with the request."""
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(request(b"/v1/first", b"Connection: close"))
    await turns()
    listener.advance(300)
    listener.dialer.transport().receive(OK)
    await turns()
    assert client.transport.closed and client.transport.unsent
    listener.advance(1)
    assert not client.transport.aborted
    listener.advance(listener.manager.limits.body_idle_seconds)
    assert client.transport.aborted


async def long_response(*lines: bytes) -> tuple[Listener, Client]:
    """A response of 1 MB whose client has read nothing of it, and the listener."""
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(request(b"/v1/x", *lines))
    await turns()
    listener.dialer.transport().receive(response(b"x" * 1_000_000))
    await turns()
    return listener, client


@pytest.mark.parametrize("lines", [(), (b"Connection: close",)])
async def test_a_slow_reader_gets_all_of_a_long_response(lines: tuple[bytes, ...]) -> None:
    """However long it takes: a link of 10 kB/s has no 1 MB within the limit for a pause."""
    listener, client = await long_response(*lines)
    for _ in range(99):
        listener.advance(1)
        client.transport.peer_takes(10_000)
    assert not client.transport.aborted
    client.transport.peer_takes_all()
    await turns()
    assert client.transport.closed == bool(lines) and not client.transport.aborted


@pytest.mark.parametrize("lines", [(), (b"Connection: close",)])
async def test_a_reader_below_the_least_rate_is_given_up(lines: tuple[bytes, ...]) -> None:
    """A byte now and then keeps no response in memory."""
    listener, client = await long_response(*lines)
    for _ in range(61):
        listener.advance(1)
        client.transport.peer_takes(100)
    assert client.transport.aborted


async def test_a_connection_keeps_nothing_of_an_exchange_that_is_over() -> None:
    """Its response may be megabytes, and the next request may never come."""
    listener = Listener()
    client = listener.connect()
    client.send(request(b"/v1/x", method=b"POST", body=b"{", length=2))
    await turns()
    listener.advance(2)
    exchange = weakref.ref(cast(Exchange, client.protocol._exchange))
    client.send(b"}")
    await turns()
    listener.dialer.transport().receive(OK)
    await turns()
    assert client.statuses == [200] and exchange() is None


@pytest.mark.parametrize("how", ["the client leaves", "the body is too slow"])
async def test_the_body_of_an_upload_that_broke_off_is_freed_at_once(how: str) -> None:
    """Not when the garbage collector comes: until then clients could fill the memory with such bodies."""
    gc.disable()
    try:
        listener = Listener()
        client = listener.connect()
        client.send(UPLOAD)
        await turns()
        listener.advance(2)
        exchange = weakref.ref(cast(Exchange, client.protocol._exchange))
        if how == "the client leaves":
            client.transport.peer_closes()
        else:
            listener.advance(listener.manager.limits.body_idle_seconds)
            assert client.statuses == [408]
        await turns()
        assert exchange() is None
    finally:
        gc.enable()
