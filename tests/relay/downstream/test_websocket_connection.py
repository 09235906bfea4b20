"""A socket has limits before and after its client has shown who it is, holds nobody up, and ends once."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest

from clawgate.errors import GatewayStopping
from clawgate.policy.authentication import TokenStore
from clawgate.relay.downstream.pipeline import PIPELINE_LIMIT, PIPELINE_STEP
from clawgate.relay.downstream.websocket_connection import (
    CLOSE_SECONDS,
    PING_SECONDS,
    SILENCE_SECONDS,
    WebSocketConnection,
)
from clawgate.relay.websocket import (
    AUTHENTICATION_SECONDS,
    MESSAGE_BYTES,
    REFUSED_CALLS,
    UNAUTHENTICATED_MESSAGE_BYTES,
    UNAUTHENTICATED_UNSENT_BYTES,
    UNSENT_BYTES,
    Socket,
    SocketHandler,
)
from tests.relay.fake_listener import Client, ClientTransport, Listener, turns
from tests.relay.websocket_frames import (
    CLOSE,
    CONT,
    MASK,
    PING,
    PONG,
    TEXT,
    Echo,
    close,
    frame,
    frames_of,
    upgrade,
)


@dataclass
class Peer:
    """A client behind its upgrade, and what speaks with it."""

    listener: Listener
    client: Client
    handler: Echo

    @property
    def socket(self) -> Socket:
        return self.handler.socket

    @property
    def transport(self) -> ClientTransport:
        return self.client.transport

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        return frames_of(self.client.received.partition(b"\r\n\r\n")[2])

    def is_closed(self) -> bool:
        return self.transport.closed

    def is_aborted(self) -> bool:
        return self.transport.aborted

    def is_paused(self) -> bool:
        return self.transport.reading_paused

    def closed_with(self) -> int | None:
        """The code of the close frame that the client was sent."""
        codes = [struct.unpack("!H", payload[:2])[0] for opcode, payload in self.frames if opcode == CLOSE]
        assert len(codes) < 2
        return codes[0] if codes else None

    @property
    def end(self) -> list[str]:
        """How the handler learned of the end; once at most."""
        return [entry for entry in self.handler.log if entry.startswith("closed")]


Connect = Callable[..., Peer]


@pytest.fixture
async def connect() -> Connect:
    """Opens sockets on one listener, each with an `Echo`."""
    waiting: list[Echo] = []
    listener = Listener(
        tokens=True,
        make_socket=lambda manager, admitted: WebSocketConnection(manager, admitted, waiting.pop()),
        socket_paths=frozenset({b"/"}),
    )

    def open_socket(*, authenticated: bool = True, reads: bool = True, handler: Echo | None = None) -> Peer:
        handler = handler or Echo()
        handler.authenticates = authenticated
        waiting.append(handler)
        client = listener.connect(reads=reads)
        client.send(upgrade())
        return Peer(listener, client, handler)

    return open_socket


def implements(connection: WebSocketConnection, echo: Echo) -> tuple[Socket, SocketHandler]:
    """mypy checks that both are what the interface says."""
    return connection, echo


async def test_a_client_that_does_not_show_who_it_is_is_closed_in_time(connect: Connect) -> None:
    """Whatever else it sends."""
    silent, busy, known = connect(authenticated=False), connect(authenticated=False), connect()
    silent.listener.advance(AUTHENTICATION_SECONDS - 1)
    busy.client.send(frame(TEXT, b"hello") + frame(PING))
    assert silent.closed_with() is busy.closed_with() is None
    silent.listener.advance(1)
    await turns()
    assert silent.closed_with() == busy.closed_with() == 1008 and known.closed_with() is None
    assert silent.end == ["closed 1008 not authenticated within 10 s"]
    silent.listener.advance(CLOSE_SECONDS)
    assert silent.is_aborted() and not known.is_closed()


@pytest.mark.parametrize("fragments", [1, 5])
@pytest.mark.parametrize(
    ("authenticated", "limit"), [(False, UNAUTHENTICATED_MESSAGE_BYTES), (True, MESSAGE_BYTES)]
)
async def test_a_message_is_limited(
    connect: Connect, authenticated: bool, limit: int, fragments: int
) -> None:
    peer = connect(authenticated=authenticated)
    if not authenticated:
        peer.client.send(frame(TEXT, b"x" * limit))
        await turns(40)
        assert peer.frames == [(TEXT, b"x" * limit)]
    size = limit // fragments
    zeros = (MASK * size)[:size]
    for at in range(fragments - 1):
        peer.client.send(frame(CONT if at else TEXT, length=size, fin=False) + zeros)
        await turns(size // PIPELINE_STEP + 20)
    assert peer.closed_with() is None
    rest = limit - size * (fragments - 1) + 1
    peer.client.send(frame(CONT if fragments > 1 else TEXT, length=rest))
    await turns()
    assert peer.closed_with() == 1009 and peer.transport.eof_written


async def test_what_is_sent_to_a_client_is_whole_frames_in_order(connect: Connect) -> None:
    peer = connect()
    for size in (0, 1, 125, 126, 65_535, 65_536):
        peer.socket.send(b"x" * size)
    assert peer.frames == [(TEXT, b"x" * size) for size in (0, 1, 125, 126, 65_535, 65_536)]


@pytest.mark.parametrize(
    ("authenticated", "limit"), [(False, UNAUTHENTICATED_UNSENT_BYTES), (True, UNSENT_BYTES)]
)
async def test_a_client_that_does_not_read_is_closed_and_others_are_not(
    connect: Connect, authenticated: bool, limit: int
) -> None:
    slow, other = connect(authenticated=authenticated, reads=False), connect()
    size = limit // 4
    for _ in range(5):
        slow.socket.send(b"x" * size)
    assert slow.transport.unsent > limit and not slow.end
    slow.socket.send(b"more")
    other.client.send(frame(TEXT, b"hello"))
    await turns()
    assert slow.end == ["closed 1008 slow consumer"]
    assert slow.frames[-1] == (CLOSE, b"\x03\xf0slow consumer")
    assert slow.transport.unsent < limit * 1.3 and not slow.is_aborted()
    assert other.frames == [(TEXT, b"hello")]
    slow.socket.send(b"no more")
    slow.listener.advance(CLOSE_SECONDS)
    assert slow.is_aborted() and not other.is_closed()


async def test_a_client_that_pings_and_does_not_read_is_closed(connect: Connect) -> None:
    """And while it closes it can claim no more either."""
    peer = connect(authenticated=False, reads=False)
    flood = frame(PING, b"x" * 125) * 50
    for _ in range(2000):
        peer.client.send(flood)
    await turns()
    assert peer.end == ["closed 1008 slow consumer"]
    assert peer.is_aborted()
    assert peer.transport.unsent < UNAUTHENTICATED_UNSENT_BYTES * 1.2


async def test_the_sockets_that_hold_most_are_dropped_where_all_hold_too_much(connect: Connect) -> None:
    """Unread messages and unfinished ones alike, of clients that are known."""
    peers = [connect(reads=False) for _ in range(4)]
    manager = peers[0].listener.manager
    manager.limits = replace(manager.limits, buffered_bytes=1_000_000)
    for number, peer in enumerate(peers[:2]):
        peer.socket.send(b"x" * (300_000 + 200_000 * number))
    peers[2].client.send(frame(TEXT, b"x" * 350_000, fin=False))
    await turns(60)
    peers[2].client.send(frame(CONT, length=100) + MASK)
    manager.check_timeouts()
    assert [peer.is_aborted() for peer in peers] == [False, True, False, False]
    await turns()
    assert [peer.end for peer in peers] == [[], ["closed 1006 "], [], []]
    manager.limits = replace(manager.limits, buffered_bytes=500_000)
    manager.check_timeouts()
    assert [peer.is_aborted() for peer in peers] == [False, True, True, False]


async def test_many_messages_at_once_give_others_their_turn(connect: Connect) -> None:
    """A step is a few kilobytes, and what waits for its step is bounded."""
    flood, other = connect(), connect()
    count = 50_000
    flood.client.send(frame(TEXT, b"") * count)
    assert len(flood.frames) < PIPELINE_STEP
    assert flood.is_paused()
    other.client.send(frame(TEXT, b"hello"))
    assert other.frames == [(TEXT, b"hello")]
    await turns(6 * count // PIPELINE_STEP + 10)
    assert len(flood.frames) == count and not flood.is_paused()
    assert 6 * count > PIPELINE_LIMIT


async def test_what_comes_behind_messages_that_wait_waits_as_well_and_is_bounded(connect: Connect) -> None:
    peer = connect()
    some = frame(TEXT, b"x" * 100) * 200
    sent = 0
    while peer.client.send(some):
        sent += 200
        assert sent * 106 < PIPELINE_LIMIT * 2
    await turns(100)
    assert len(peer.frames) == sent and not peer.is_paused()


async def test_messages_that_wait_come_before_the_end_of_the_stream(connect: Connect) -> None:
    peer = connect()
    peer.client.send(frame(TEXT, b"x" * 3000) * 10)
    cast(asyncio.Protocol, peer.transport.protocol).eof_received()
    await turns()
    assert len(peer.handler.log) == 12 and peer.end == ["closed 1006 "]


async def test_a_client_is_pinged_and_one_that_has_gone_is_dropped(connect: Connect) -> None:
    """A half-open connection takes pings and returns nothing."""
    alive, gone = connect(), connect()
    for _ in range(10):
        alive.listener.advance(PING_SECONDS / 2)
        for _, payload in [one for one in alive.frames if one[0] == PING]:
            alive.client.send(frame(PONG, payload))
        await turns()
    assert not alive.end and not alive.is_closed()
    assert [opcode for opcode, _ in alive.frames] == [PING] * 5
    assert gone.end == ["closed 1006 "] and gone.is_aborted()
    assert [opcode for opcode, _ in gone.frames] == [PING]
    assert SILENCE_SECONDS == 2 * PING_SECONDS


async def test_any_frame_shows_that_a_client_is_there(connect: Connect) -> None:
    peer = connect()
    for _ in range(10):
        peer.listener.advance(PING_SECONDS)
        peer.client.send(frame(TEXT, b"x"))
    assert not peer.end and not peer.is_closed()


@pytest.mark.parametrize("step", [0, 1])
async def test_what_a_client_sends_behind_its_close_counts_no_more(connect: Connect, step: int) -> None:
    peer = connect()
    data = frame(TEXT, b"first") + close(1000, b"bye") + frame(TEXT, b"late") * 3 + frame(PING) + close(1001)
    for at in range(0, len(data), step or len(data)):
        peer.client.send(data[at : at + (step or len(data))])
    await turns()
    assert peer.frames == [(TEXT, b"first"), (CLOSE, b"\x03\xe8bye")]
    assert peer.handler.log == ["opened", "message first", "closed 1000 bye"]
    assert peer.transport.eof_written and not peer.is_closed()
    peer.client.send(frame(TEXT, b"x") * 100_000)
    peer.listener.advance(CLOSE_SECONDS)
    assert peer.is_aborted()
    await turns()
    assert len(peer.end) == 1 and peer.listener.manager.connection_count == 0


async def test_the_closing_handshake_has_a_limit(connect: Connect) -> None:
    """A client that does not return the close frame is not waited for, whatever it sends in place of it."""
    peer = connect()
    peer.socket.close(4000, "because")
    peer.socket.close(4001, "again")
    peer.socket.send(b"late")
    await turns()
    assert peer.frames == [(CLOSE, b"\x0f\xa0because")] and peer.end == ["closed 4000 because"]
    peer.client.send(frame(TEXT, b"still here"))
    peer.listener.advance(CLOSE_SECONDS - 1)
    assert not peer.is_closed() and peer.handler.log[-1] == "closed 4000 because"
    peer.listener.advance(1)
    assert peer.is_aborted()


async def test_the_closing_handshake_ends_with_the_close_frame_of_the_client(connect: Connect) -> None:
    peer = connect()
    peer.socket.close(1000, "")
    peer.client.send(close(1000))
    assert peer.transport.eof_written and len(peer.frames) == 1


async def test_a_connection_that_breaks_is_1006(connect: Connect) -> None:
    peer = connect()
    peer.transport.peer_closes()
    await turns()
    assert peer.end == ["closed 1006 "]
    peer.socket.send(b"late")
    peer.socket.close(1000, "")
    assert peer.frames == []


async def test_the_refused_call_that_is_too_many_closes(connect: Connect) -> None:
    """OpenClaw #20168: 8.9 million rejections."""
    peer = connect()
    counts = []
    for _ in range(10_000):
        peer.socket.send(b"refused")
        counts.append(peer.socket.refused())
    await turns()
    assert [opcode for opcode, _ in peer.frames] == [TEXT] * REFUSED_CALLS + [CLOSE]
    assert counts[:5] == [1, 2, 3, 4, 5] and peer.end == ["closed 1008 too many refused calls"]


class Broken(Echo):
    def message(self, text: str) -> None:
        raise ValueError(text)


async def test_a_defect_of_the_handler_ends_its_own_socket(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = connect(handler=Broken()), connect()
    broken.client.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
    other.client.send(frame(TEXT, b"hello"))
    await turns()
    assert broken.frames == [(CLOSE, b"\x03\xf3internal error")] and broken.end == [
        "closed 1011 internal error"
    ]
    assert other.frames == [(TEXT, b"hello")]
    assert caplog.text.count("websocket handler failed") == 1


async def test_sockets_end_with_the_credentials_that_opened_them(connect: Connect) -> None:
    """A token that was rotated opens nothing any more, and what it had opened is closed."""
    known, unknown = connect(), connect(authenticated=False)
    manager = known.listener.manager
    manager.admission.tokens = TokenStore.of({"alice": "ct-fake-0123456789abcdef"})
    manager.invalidate_head_caches()
    assert known.closed_with() is None, "the same credentials"
    manager.admission.tokens = TokenStore.of({"alice": "another"})
    manager.invalidate_head_caches()
    await turns()
    assert known.end == ["closed 4001 gateway auth changed"] and not unknown.end


async def test_a_stopping_gateway_closes_sockets_that_wait_for_nothing(connect: Connect) -> None:
    idle, busy = connect(), connect(handler=Echo(is_busy=True))
    manager = idle.listener.manager
    assert manager.busy_count == 1
    for protocol in (idle.transport.protocol, busy.transport.protocol):
        cast(WebSocketConnection, protocol).shutdown()
    await turns()
    assert idle.handler.log == ["opened", "stopping", "closed 1012 service restart"]
    assert busy.handler.log == ["opened", "stopping"], "its limit is not over"
    manager.close_idle_connections()
    assert idle.is_aborted() and busy.closed_with() is None
    busy.handler.is_busy = False
    busy.listener.advance(1)
    assert busy.closed_with() == 1012


async def test_a_socket_that_is_busy_at_the_drain_limit_is_closed(connect: Connect) -> None:
    busy = connect(handler=Echo(is_busy=True))
    cast(WebSocketConnection, busy.transport.protocol).shutdown()
    busy.listener.manager.stop_all(GatewayStopping("over"))
    await turns()
    assert busy.frames == [(TEXT, b"the last"), (CLOSE, b"\x03\xf4service restart")]
    assert busy.handler.log == ["opened", "stopping", "stopped", "closed 1012 service restart"]


async def test_a_socket_is_a_connection_that_counts(connect: Connect) -> None:
    peers = [connect() for _ in range(3)]
    manager = peers[0].listener.manager
    assert manager.connection_count == 3 and manager.accepted_count == 3 and manager.busy_count == 0
    peers[0].transport.peer_closes()
    await turns()
    assert manager.connection_count == 2
    manager.close()
    await turns()
    assert manager.connection_count == 0 and all(peer.end == ["closed 1006 "] for peer in peers)


async def test_the_beginning_and_the_end_are_recorded_without_content(connect: Connect) -> None:
    """A fault with its code; what the client gave as its reason is content."""
    fault, left, unknown = connect(), connect(), connect(authenticated=False)
    records = fault.listener.records
    fault.client.send(frame(TEXT, b"\xff"))
    left.client.send(frame(TEXT, b"SECRET") + close(1008, b"SECRET"))
    await turns()
    unknown.listener.advance(AUTHENTICATION_SECONDS)
    await turns()
    ends = [record for record in records if record.first_byte is None]
    assert len(records) == 6 and all((record.status, record.path) == (101, b"/") for record in records)
    assert {(record.caller, record.code, record.reason) for record in ends} == {
        ("alice", "close_1007", "a text message is not UTF-8"),
        ("alice", None, "closed with 1008"),
        ("-", "close_1008", "not authenticated within 10 s"),
    }
    assert ends[0].total == 0 and ends[-1].total == AUTHENTICATION_SECONDS
    assert min(record.sent for record in ends) > 129
