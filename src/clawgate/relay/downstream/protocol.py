"""The client's connection: uvicorn's HTTP protocol class with the data path spliced in.

Relay routes go to an `Exchange`, without an ASGI scope, a task or a coroutine; everything else takes uvicorn's own
ASGI path. What is overridden of uvicorn stands on this page, and `tests/relay/downstream/test_protocol.py` fails when
uvicorn changes any of it.

Requests are answered one at a time: bytes behind a finished request wait unread until its answer is out, so that
answers come in order, and reading goes on meanwhile, so that a client that leaves is noticed.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from clawgate.errors import GatewayError, RequestTimedOut, UnclearFraming
from clawgate.relay.admission.admission import ANONYMOUS, Admission, ControlRequest
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.downstream.head_cache import CachedHead
from clawgate.relay.downstream.pipeline import PipelineBuffer
from clawgate.relay.downstream.request_parser import ClientLimits, RequestParser
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.response.error_response import error_answer, status_of
from clawgate.wire.dialect import Dialect, dialect_of
from clawgate.wire.http.message import CONTINUE, path_of

WRITE_BUFFER = 65_536
LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away, so that the refusal is not lost in a reset
(RFC 9112 section 9.6)."""


class Listener(Protocol):
    """What connections of one listener share, and report to."""

    gate: Admission
    limits: ClientLimits
    shop: ExchangeContext
    draining: bool
    now: Callable[[], float]

    def connection_opened(self, connection: RelayProtocol) -> None: ...
    def authenticated(self, connection: RelayProtocol) -> None: ...
    def connection_closed(self, connection: RelayProtocol) -> None: ...


class RelayProtocol(HttpToolsProtocol):
    """One per client connection; made by uvicorn through `Front.make_protocol`."""

    http10 = False
    _exchange: Exchange | None = None
    _known: CachedHead[AdmittedHead] | None = None  # the last head, if it can be taken again as it was
    _refusal: GatewayError | None = None
    _refused_head: RequestHead | None = None
    _head_only = False
    _dialect = Dialect.CHAT
    _fresh = True  # nothing was admitted on this connection yet
    _waiting = True  # for the first byte of a request
    _lingering = False
    _draining = False
    _pipelined: PipelineBuffer | None = None
    _body_held = False  # the exchange has no room for more of the body
    _response_unread = False  # the next request waits until the client has read the last response
    _since = 0.0  # when the present wait for the client began, in the loop's time

    def __init__(
        self,
        front: Listener,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.front = front
        self._reader = RequestParser(self, front.limits)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._peer = self.client[0] if self.client is not None else ""
        self.write = transport.write
        self._since = self.front.now()
        self._draining = self.front.draining
        self.front.connection_opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.connection_closed(self)
        self._pipelined = self._known = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_disconnected()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._pipelined is not None:  # what came first is read first
            self._buffer_pipelined(data)
            return
        if self._waiting:
            self._since = self.front.now()
            if self._take_known(data):
                return
        self._read(data)

    def _take_known(self, data: bytes) -> bool:
        """The short way: a request under the head that was read last, where nothing but the head decides."""
        known = self._known
        found = known.match(data) if known is not None else None
        if known is None or found is None:
            return False
        length, body_at = found
        missing = length - len(data) + body_at
        front = self.front
        ticket = known.meaning
        if missing < 0 or (ticket.has_content_length and not length):
            return False
        if not front.gate.still_admits(ticket, length, self._since):
            return False
        self._waiting = False
        self._exchange = exchange = Exchange(front.shop, self, ticket, self._since)
        if missing:
            self._reader.take_head(missing)
            exchange.start_request(ticket.encode_head(length))
            if body_at < len(data):
                exchange.request_body(data[body_at:])
            exchange.flush_request()
            return True
        self._reader.take_whole()
        if ticket.router is None:
            exchange.send_complete_request(ticket.encode_head(length), data, body_at)
        else:
            exchange.send_routed_request(data[body_at:])
        return True

    def _read(self, data: bytes) -> None:
        """Read a request or a part of one. What comes behind it is buffered."""
        if self._is_over():
            return
        self._waiting = False
        reader = self._reader
        while data and not reader.complete:
            if reader.head_done:
                self._since = self.front.now()
            data = reader.feed(data)
            if self._is_over():
                return
        if data and self._pipelined is not None:
            self._pipelined.put_back(len(data))
        elif data:
            self._buffer_pipelined(data)
        if self._exchange is not None:
            self._exchange.flush_request()
        elif self._refusal is not None:
            self._refuse(self._refusal)

    def _buffer_pipelined(self, data: bytes) -> None:
        """Keep what came behind a request until its response is out."""
        if self._pipelined is None:
            self._pipelined = PipelineBuffer(data)
        else:
            self._pipelined.append(data)
        self._update_reading()

    def _read_pipelined(self) -> None:
        """Read the next request from what is buffered."""
        pipelined = self._pipelined
        while pipelined and not self._reader.complete and not self._is_over():
            self._read(pipelined.pop())
            if (
                self._waiting
            ):  # its response is out already; other connections get a turn before the next request
                return
        if not pipelined:
            self._pipelined = None
        if not self._is_over():
            self._update_reading()

    def _update_reading(self) -> None:
        """Read the socket unless too much waits already, of this request's body or behind it."""
        if self._body_held or (self._pipelined is not None and self._pipelined.is_full):
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _is_over(self) -> bool:
        """Whether nothing that comes is read any more."""
        return self._lingering or self.transport.is_closing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._since = self.front.now()
        if self._exchange is not None:
            self._exchange.on_client_write_paused()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._since = self.front.now()
        if self._exchange is not None:
            self._exchange.on_client_write_resumed()
        elif self._response_unread:
            self._response_unread = False
            self._next_request()

    # What the reader reports

    def head_read(self, head: RequestHead, raw: bytes | None) -> None:
        """Ask the gate about a head that was read for the first time."""
        self._known = None
        self.http10 = head.version != "1.1"
        self._head_only = head.method == b"HEAD"
        self._dialect = dialect_of(path_of(head.target), head.fields)
        now = self.front.now()
        try:
            found = self.front.gate.admit(head, self._peer, now)
            if isinstance(found, AdmittedHead):
                self.front.gate.acquire(found, now)
        except GatewayError as error:
            self._refusal = error
            self._refused_head = head
            if isinstance(error, UnclearFraming):
                self._reader.last = True
            return
        known = isinstance(found, AdmittedHead) or found.caller is not None or self.front.gate.tokens is None
        if self._fresh and known:  # whoever may only ask for health stays a stranger
            self._fresh = False
            self.front.authenticated(self)
        if isinstance(found, ControlRequest):
            self._start_control(head, found)
            return
        if found.expect_continue:
            self.transport.write(CONTINUE)
        length = int(dict(head.fields).get(b"content-length", b"0"))
        # With and without a body are two cases for the gate: only the one that was judged may be known again.
        if raw is not None and found.cacheable and found.has_content_length == (length > 0):
            self._known = CachedHead.of(raw, length, found)
        self._exchange = Exchange(self.front.shop, self, found, now)
        self._exchange.start_request(found.encode_head(length))

    def body_read(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._exchange is not None:
            self._exchange.request_body(piece)

    def request_read(self) -> None:
        """The request is whole."""
        if self._exchange is not None:
            self._exchange.request_complete()

    def unreadable(self, error: GatewayError) -> None:
        """Answer what cannot be trusted to mean one thing or what there is no room for, and read no more of it."""
        if not self._reader.head_done:
            self._dialect = Dialect.CHAT
        self._reader.last = True
        if self._exchange is not None:
            self._exchange.fail(error)
            return
        self._refuse(error)

    # Answering

    def _start_control(self, head: RequestHead, found: ControlRequest) -> None:
        """Hand a request without a body to uvicorn's ASGI path, as its own parser callbacks would."""
        self.parser = self._reader.parser
        super().on_message_begin()
        self.url = head.target
        self.headers.extend(head.fields)
        self.scope["state"]["caller"] = found.caller
        super().on_headers_complete()
        self.cycle.keep_alive = not self.must_close()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """uvicorn's ASGI path is done with its answer."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self._next_request()

    def _next_request(self) -> None:
        """Read the next request, unless the client has to read the last response first."""
        if self._reader.last or self._draining:
            self._close_gently()
            return
        if self.flow.write_paused:
            self._response_unread = True
            return
        self._reader.restart()
        self._since = self.front.now()
        self._waiting = True
        self._body_held = False
        if self._pipelined is None:
            self.flow.resume_reading()
        else:
            self._update_reading()
            self.loop.call_soon(self._read_pipelined)

    def _refuse(self, error: GatewayError) -> None:
        """Answer a request that never became an exchange, and let it be known."""
        self._refusal = None
        head, self._refused_head = self._refused_head, None
        sent = self._send_error(error)
        observer = self.front.shop.observer
        if observer is not None:
            observer(
                RequestRecord(
                    method=head.method if head is not None else b"-",
                    path=head.target.partition(b"?")[0] if head is not None else b"-",
                    caller=error.caller or ANONYMOUS,
                    model=None,
                    status=status_of(error),
                    code=error.code,
                    sent=sent,
                    first_byte=None,
                    total=self.front.now() - self._since,
                    reason=error.message,
                )
            )

    def _send_error(self, error: GatewayError, names: bytes = b"") -> int:
        reader = self._reader
        reader.last = close = reader.last or self._draining or not reader.complete
        answer = error_answer(
            error, close=close, head_only=self._head_only, dialect=self._dialect, names=names
        )
        self.transport.write(answer)
        self._next_request()
        return len(answer)

    def _close_gently(self) -> None:
        """Close; while the client may still be sending, only after it has had time to read the answer."""
        self._since = self.front.now()
        if self._reader.complete and not self._pipelined:
            self.transport.close()
            return
        self._lingering = True
        self._waiting = self._body_held = False
        self._pipelined = None
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # What an exchange asks of its client's side

    write: Callable[[bytes], None]
    """Sends bytes of the answer: the transport's own."""

    def pause_reading(self) -> None:
        """Stop reading the request: nobody can take more of it."""
        if not self.transport.is_closing():
            self._body_held = True
            self._update_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._since = self.front.now()
        self._body_held = False
        if not self.transport.is_closing():
            self._update_reading()

    def must_close(self) -> bool:
        """Whether the answer has to announce the end of the connection."""
        return self._reader.last or self._draining

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        """The exchange ended without an answer: send this one."""
        self._exchange = None
        return 0 if self.transport.is_closing() else self._send_error(error, names)

    def response_complete(self) -> None:
        """The exchange's answer is whole."""
        self._exchange = None
        if not self.transport.is_closing():
            if not self._reader.complete:
                self._reader.last = True
            self._next_request()

    def abort_response(self, *, at_once: bool) -> None:
        """End a broken answer: what was written goes out, its proper end does not."""
        self._exchange = None
        if at_once:
            # Where an answer ends with the connection, only a reset says that it is not whole.
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self._since = self.front.now()
            self.transport.close()

    # Time, and the end of the process

    def check_timeouts(self, now: float) -> None:
        """End what has taken too long; called again and again by `Front`."""
        waited = now - self._since
        limits = self.front.limits
        reader = self._reader
        if self.transport.is_closing():
            if waited >= limits.body_idle_seconds:
                self.transport.abort()
        elif self._lingering:
            if waited >= LINGER_SECONDS:
                self.transport.close()
        elif self._exchange is not None:
            self._check_exchange(self._exchange, now)
        elif self._response_unread:
            if waited >= limits.body_idle_seconds:
                self.transport.abort()
        elif reader.head_bytes and not reader.head_done:
            if waited >= limits.head_seconds:
                self.unreadable(
                    RequestTimedOut(f"the request head did not come within {limits.head_seconds:g} s")
                )
        elif not reader.head_done and waited >= (
            limits.head_seconds if self._fresh else limits.keep_alive_seconds
        ):
            self.transport.close()

    def _check_exchange(self, exchange: Exchange, now: float) -> None:
        if self.flow.read_paused and _has_hung_up(self.transport):
            self.transport.abort()
            return
        exchange.check_time(now)
        limit = self.front.limits.body_idle_seconds
        if now - self._since < limit:
            return
        if exchange.client_write_paused:
            self.transport.abort()
        elif exchange.awaits_client:
            exchange.fail(RequestTimedOut(f"the rest of the body did not come within {limit:g} s"))

    def invalidate_head_cache(self) -> None:
        """The gate's rules have changed: the next head has to be asked about again."""
        self._known = None

    def shutdown(self) -> None:
        """uvicorn is stopping: what is under way is finished, and answers announce the end."""
        self._draining = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun."""
        return not self._reader.head_bytes and not self._reader.head_done and not self._lingering

    def close_if_idle(self, error: GatewayError) -> None:
        """Let go of a connection on which no request has begun, or with ``error`` if its head is still not here."""
        if self.is_idle:
            self.transport.close()
        elif not (self._reader.head_done or self._lingering):
            self.unreadable(error)

    def stop(self, error: GatewayError) -> None:
        """The drain limit is over: end what is under way in the form that its stage allows."""
        if self._exchange is not None:
            self._exchange.fail(error)
        else:
            self.transport.close()


def _has_hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client has left a connection that is not being read, where the loop would not notice."""
    readiness = select.poll()
    readiness.register(transport.get_extra_info("socket").fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(readiness.poll(0))
