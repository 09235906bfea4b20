"""The response half of a client connection: what an exchange writes, errors, the order of responses, and timeouts.

Invariant: the next request is read once the response in front of it is out and the client reads it. A connection whose
client may still be sending is closed only after the client has had time to read the response.
"""

from __future__ import annotations

import asyncio
import fcntl
import select
import socket
import struct
import termios
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from clawgate.errors import GatewayError, RequestTimedOut
from clawgate.relay.downstream import client_timeouts
from clawgate.relay.downstream.client_timeouts import BodyRate, Overdue, Phase, UnsentBytes, overdue
from clawgate.relay.downstream.error_replies import encode_error, process_stops, rejection_record
from clawgate.relay.downstream.pipeline import PipelineBuffer
from clawgate.relay.downstream.request_parser import RequestParser
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import RequestHead

if TYPE_CHECKING:
    from clawgate.relay.downstream.connections import ConnectionManager

_CLIENT_READS = (Phase.RESPONSE_READ, Phase.CLOSING)


class ResponseSide(HttpToolsProtocol, ABC):
    """Base of `RelayProtocol`, and no object of its own."""

    # Defaults are attributes of the class: most connections never change most of them.
    http10 = False
    socket_key: str | None = None
    """What a WebSocket counts under until its client has shown who it is; this is none."""
    held_bytes = 0
    """Of a WebSocket as well. Those of requests have a budget of their own."""
    _exchange: Exchange | None = None
    _head: RequestHead | None = None  # the last one that was parsed; a cached one means the same
    _request_parser: RequestParser
    _authenticated = False  # whether a request was admitted
    _awaits_request = True  # no byte of the next request is here
    _lingering = False
    _draining = False
    _end_announced = False  # by the head of the response under way
    _idle_grace: asyncio.TimerHandle | None = None  # while draining, of a connection that became idle since
    _pipelined: PipelineBuffer | None = None
    _body_paused = False  # the exchange takes no more of the body for now
    _response_unread = False  # the next request waits until the client has read the last response
    _body_rate: BodyRate | None = None  # of the present request, once it took a second
    _unsent: UnsentBytes | None = None  # while the client has to read
    _waiting_since = 0.0

    def __init__(
        self,
        listener: ConnectionManager,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._listener = listener

    @abstractmethod
    def on_request_error(self, error: GatewayError) -> None:
        """Respond with ``error``, and read nothing more."""

    @abstractmethod
    def _read_pipelined(self) -> None: ...

    # The end of a response

    def on_response_complete(self) -> None:
        """uvicorn's ASGI path has sent its response."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self._next_request()

    def _next_request(self) -> None:
        """Read the next request, unless the client has to read the last response first."""
        parser, flow = self._request_parser, self.flow
        if parser.is_last or self._end_announced:
            self._lingering_close()
            return
        if flow.write_paused:
            self._response_unread = True
            return
        parser.start_request()
        self._waiting_since = self._listener.now()
        self._awaits_request = True
        self._body_paused = False
        self._body_rate = None
        if self._pipelined is None:
            if flow.read_paused:
                flow.resume_reading()
        else:
            self._update_reading()
            self.loop.call_soon(self._read_pipelined)
        if self._draining:  # the head did not announce the end: the next request may be on its way already
            self._start_idle_grace()

    def _reject(self, error: GatewayError) -> None:
        """Respond to a request that never became an exchange, and record it."""
        began_at, head = self._waiting_since, self._head
        sent = self._send_error(error)
        observer = self._listener.context.observer
        if observer is not None:
            seconds = self._listener.now() - began_at
            observer(rejection_record(error, head, sent=sent, seconds=seconds))

    def _send_error(self, error: GatewayError, attribution_headers: bytes = b"") -> int:
        parser = self._request_parser
        parser.is_last = close = self.must_close() or not parser.complete
        response = encode_error(error, self._head, close=close, attribution_headers=attribution_headers)
        self.transport.write(response)
        self._next_request()
        return len(response)

    def _lingering_close(self) -> None:
        """Close; while the client may still be sending, only after it has had time to read the response."""
        if self._request_parser.complete and not self._pipelined:
            self._close()
            return
        self._discard_requests()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard_requests(self) -> None:
        self._waiting_since = self._listener.now()
        self._lingering = True
        self._awaits_request = self._body_paused = False
        self._pipelined = None
        self.flow.resume_reading()

    # What an exchange calls, see `ClientConnection`

    write: Callable[[bytes], None]
    """Sends bytes of the response: the transport's own."""

    def pause_reading(self) -> None:
        if not self.transport.is_closing():
            self._body_paused = True
            self._update_reading()

    def resume_reading(self) -> None:
        self._waiting_since = self._listener.now()
        self._body_paused = False
        if not self.transport.is_closing():
            self._update_reading()

    def must_close(self) -> bool:
        self._end_announced = self._draining
        return self._request_parser.is_last or self._draining

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        self._exchange = None
        return 0 if self.transport.is_closing() else self._send_error(error, names)

    def response_complete(self) -> None:
        self._exchange = None
        if not self.transport.is_closing():
            if not self._request_parser.complete:
                self._request_parser.is_last = True
            self._next_request()

    def abort_response(self, error: GatewayError, *, at_once: bool, reported: bool) -> None:
        """End a response that is not complete: what was written is sent, its proper end is not."""
        self._exchange = None
        if at_once:
            # Where a response ends with the connection, only a reset shows that it is not complete.
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif reported and not self.transport.is_closing():
            self._discard_requests()
            self.loop.call_later(client_timeouts.ERROR_READ_SECONDS, self._close)
        else:
            self._close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._waiting_since = self._listener.now()
        self._unsent = None
        if self._exchange is not None:
            self._exchange.on_client_write_paused()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._waiting_since = self._listener.now()
        if self._exchange is not None:
            self._exchange.on_client_write_resumed()
        elif self._response_unread:
            self._response_unread = False
            self._next_request()

    def _update_reading(self) -> None:
        """Read the socket, unless too much waits already of this request's body or behind it."""
        if self._body_paused or (self._pipelined is not None and self._pipelined.is_full):
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    # Timeouts

    @property
    def phase(self) -> Phase:
        """What the connection waits for."""
        parser = self._request_parser
        if self.transport.is_closing():
            return Phase.CLOSING
        if self._lingering:
            return Phase.LINGERING
        if self.flow.write_paused:
            return Phase.RESPONSE_READ
        if self._exchange is not None:
            return Phase.BODY if self._exchange.awaits_client else Phase.UPSTREAM
        if parser.head_done:  # the control API serves it
            return Phase.UPSTREAM
        if parser.head_bytes:
            return Phase.HEAD
        return Phase.NEXT_REQUEST if self._authenticated else Phase.FIRST_REQUEST

    def check_timeouts(self, now: float) -> None:
        """End what has taken too long. `ConnectionManager` calls this about once a second."""
        exchange = self._exchange
        if exchange is not None and not self.transport.is_closing():
            if self.flow.read_paused and _has_hung_up(self.transport):
                self.transport.abort()
                return
            exchange.check_time(now)
            self._check_body_rate(exchange, now)
        phase = self.phase
        if phase in _CLIENT_READS:
            self._check_progress(now)
        action = overdue(phase, now - self._waiting_since, self._listener.limits)
        if action is Overdue.CLOSE:
            if not (self.is_idle and self._has_unread_bytes):
                self._close()
        elif action is Overdue.ABORT:
            self.transport.abort()
        elif action is Overdue.REJECT and self._exchange is not None:
            limit = self._listener.limits.body_idle_seconds
            self._exchange.fail(RequestTimedOut(f"the rest of the body did not come within {limit:g} s"))
        elif action is Overdue.REJECT:
            limit = self._listener.limits.head_seconds
            self.on_request_error(RequestTimedOut(f"the request head did not come within {limit:g} s"))

    def _check_progress(self, now: float) -> None:
        """A client that reads a long response slowly is not one that does not read.

        The kernel of a slow one takes more in large steps, far apart.
        """
        limits = self._listener.limits
        unsent = self.transport.get_write_buffer_size() + _bytes_in_kernel(self.transport, termios.TIOCOUTQ)
        if self._unsent is None:
            self._unsent = UnsentBytes(unsent)
        self._unsent.note(unsent)
        waited = now - self._waiting_since
        if waited >= limits.body_idle_seconds and self._unsent.progressed(waited, limits):
            self._waiting_since = now

    def _check_body_rate(self, exchange: Exchange, now: float) -> None:
        """End an exchange whose body comes too slowly. A body that came within a second is never measured."""
        parser = self._request_parser
        if parser.complete or exchange.done:
            return
        if self._body_rate is None:
            self._body_rate = BodyRate(self._listener.limits, parser.body_bytes, now)
        problem = self._body_rate.problem(parser.body_bytes, now, awaits_client=exchange.awaits_client)
        if problem is not None:
            exchange.fail(RequestTimedOut(problem))

    # The end of the process

    def shutdown(self) -> None:
        """uvicorn is stopping: what is under way is finished, and the next head announces the end."""
        self._draining = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun."""
        return self.phase in (Phase.FIRST_REQUEST, Phase.NEXT_REQUEST)

    @property
    def _has_unread_bytes(self) -> bool:
        """Whether more of the client is here already. uvloop runs its timers before it reads."""
        return _bytes_in_kernel(self.transport, termios.FIONREAD) > 0

    def close_if_idle(self) -> None:
        """Close a connection on which no request has begun; reject one of which only a part of its head is here.

        One that has just become idle, or whose next bytes are here and not read yet, gets `IDLE_GRACE_SECONDS` first.
        """
        if self._idle_grace is not None or not (self.is_idle or self.phase is Phase.HEAD):
            return
        if self._has_unread_bytes:
            self._start_idle_grace()
        elif self.is_idle:
            self._close()
        else:
            self.on_request_error(process_stops())

    def _start_idle_grace(self) -> None:
        self._idle_grace = self.loop.call_later(client_timeouts.IDLE_GRACE_SECONDS, self._end_idle_grace)

    def _end_idle_grace(self) -> None:
        self._idle_grace = None
        self.close_if_idle()

    def stop(self, error: GatewayError) -> None:
        """The drain limit is over: end what is under way in the form that its state allows."""
        if self._exchange is not None:
            self._exchange.fail(error)
        else:
            self._close()

    def _close(self) -> None:
        self._waiting_since = self._listener.now()
        self.transport.close()


def _bytes_in_kernel(transport: asyncio.Transport, request: int) -> int:
    """Return how many bytes the kernel holds: `TIOCOUTQ` for the client, `FIONREAD` from it."""
    try:
        fd = transport.get_extra_info("socket").fileno()
        held: int = struct.unpack("i", fcntl.ioctl(fd, request, bytes(4)))[0]
    except (OSError, ValueError):  # the socket is closed already
        return 0
    return held


def _has_hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client has left a connection that is not read, where the loop would not notice."""
    readiness = select.poll()
    readiness.register(transport.get_extra_info("socket").fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(readiness.poll(0))
