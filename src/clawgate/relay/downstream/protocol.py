"""The client's connection: uvicorn's HTTP protocol class with the relay routes spliced in.

A relay route becomes an `Exchange`, without an ASGI scope, a task or a coroutine; everything else takes uvicorn's ASGI
path. All that is overridden of uvicorn is in this module, and `tests/relay/downstream/test_protocol.py` fails when
uvicorn changes any of it.

Invariant: one request at a time. Bytes behind it are buffered until its response is out and the client reads it, so
that responses come in order; the socket is read meanwhile, so that a disconnect is noticed.
"""

from __future__ import annotations

import asyncio

from clawgate.errors import GatewayError, InvalidToken, UnclearFraming
from clawgate.relay.admission.admission import ControlRequest
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.admission.upgrade import AdmittedSocket
from clawgate.relay.downstream.head_cache import CachedHead
from clawgate.relay.downstream.pipeline import PipelineBuffer
from clawgate.relay.downstream.request_parser import RequestParser
from clawgate.relay.downstream.response_side import ResponseSide
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import RequestHead
from clawgate.wire.http.message import CONTINUE

WRITE_BUFFER = 65_536


class RelayProtocol(ResponseSide):
    """One client connection; made by uvicorn through `ConnectionManager.make_protocol`."""

    _cached_head: CachedHead[AdmittedHead] | None = None
    _rejection: GatewayError | None = None  # of a request whose read is not over yet
    _upgrade: AdmittedSocket | None = None  # whose read is not over yet

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._request_parser = RequestParser(self, self._listener.limits)
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._peer = self.client[0] if self.client is not None else ""
        self.write = transport.write
        self._waiting_since = self._listener.now()
        self._draining = self._listener.draining
        if self._draining:
            self._start_idle_grace()
        self._listener.connection_opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connection_closed(self)
        self._pipelined = self._cached_head = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_disconnected()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._pipelined is not None:  # earlier bytes are read first
            self._buffer_pipelined(data)
            return
        if self._awaits_request:
            now = self._waiting_since = self._listener.now()
            if self._try_cached_head(data, now):
                return
        self._read(data)

    def _try_cached_head(self, data: bytes, now: float) -> bool:
        """The fast path: begin an exchange if ``data`` begins with the head that was admitted last."""
        cached = self._cached_head
        match = cached.match(data) if cached is not None else None
        if cached is None or match is None:
            return False
        length, body_at = match
        missing = length - len(data) + body_at
        listener = self._listener
        head = cached.value
        if missing < 0 or (head.has_content_length and not length):
            return False
        if not listener.admission.readmit(head, length, now):
            return False
        self._awaits_request = False
        self._exchange = exchange = Exchange(listener.context, self, head, now)
        if missing:
            self._request_parser.skip_head(missing)
            exchange.start_request(head.encode_head(length))
            if body_at < len(data):
                exchange.request_body(data[body_at:])
            exchange.flush_request()
            return True
        self._request_parser.skip_request()
        if head.router is None:
            exchange.send_complete_request(head.encode_head(length), data, body_at)
        else:
            exchange.send_routed_request(data[body_at:])
        return True

    def _read(self, data: bytes) -> None:
        """Read a request or a part of one. What comes behind it is buffered."""
        if self._is_over():
            return
        self._awaits_request = False
        parser = self._request_parser
        while data and not parser.complete:
            if parser.head_done:
                self._waiting_since = self._listener.now()
            data = parser.feed(data)
            if self._is_over():
                return
        if data and self._pipelined is not None:
            self._pipelined.put_back(len(data))
        elif data:
            self._buffer_pipelined(data)
        if self._exchange is not None:
            self._exchange.flush_request()
        elif self._upgrade is not None:
            self._become_socket(self._upgrade)
        elif self._rejection is not None:
            error, self._rejection = self._rejection, None
            if isinstance(error, InvalidToken) and error.delay_seconds:
                self.loop.call_later(error.delay_seconds, self._reject_guess, error)
            else:
                self._reject(error)

    def _become_socket(self, upgrade: AdmittedSocket) -> None:
        """Hand the connection over, with what came behind the upgrade: it is no request any more."""
        unread, self._pipelined = self._pipelined, None
        self.connections.discard(self)
        self.flow.resume_reading()
        self._listener.become_socket(self, upgrade, unread)

    def _reject_guess(self, error: InvalidToken) -> None:
        if not self._is_over():
            self._reject(error)

    def _is_over(self) -> bool:
        """Whether nothing that comes is read any more."""
        return self._lingering or self.transport.is_closing()

    # Pipelined requests

    def _buffer_pipelined(self, data: bytes) -> None:
        if self._pipelined is None:
            self._pipelined = PipelineBuffer(data)
        else:
            self._pipelined.append(data)
        self._update_reading()

    def _read_pipelined(self) -> None:
        """Read the next request from the buffer."""
        pipelined = self._pipelined
        while pipelined and not self._request_parser.complete and not self._is_over():
            self._read(pipelined.pop())
            if self._awaits_request:  # rejected already; other connections get a turn before the next request
                return
        if not pipelined:
            self._pipelined = None
        if not self._is_over():
            self._update_reading()

    # The request: what the parser calls back

    def on_request_head(self, head: RequestHead, raw: bytes | None) -> None:
        """Admit or reject a request. ``raw`` are the bytes of its head, if they may be cached."""
        self._cached_head = None
        self._head = head
        self.http10 = head.version != "1.1"
        listener = self._listener
        now = listener.now()
        try:
            admitted = listener.admission.admit(head, self._peer, now)
            if isinstance(admitted, AdmittedSocket):
                listener.check_room(admitted)
                self._upgrade = admitted
                return
            if isinstance(admitted, AdmittedHead):
                listener.admission.acquire(admitted, now)
        except GatewayError as error:
            self._rejection = error
            if isinstance(error, UnclearFraming):
                self._request_parser.is_last = True
            return
        if not self._authenticated:
            self._authenticate(admitted)
        if isinstance(admitted, ControlRequest):
            self._start_control(head, admitted)
            return
        if admitted.expect_continue:
            self.transport.write(CONTINUE)
        length = int(dict(head.fields).get(b"content-length", b"0"))
        # Admission treats requests with and without a body differently: the cached head serves only the kind it was of.
        if raw is not None and admitted.cacheable and admitted.has_content_length == (length > 0):
            self._cached_head = CachedHead.of(raw, length, admitted)
        self._exchange = Exchange(listener.context, self, admitted, now)
        self._exchange.start_request(admitted.encode_head(length))

    def _authenticate(self, admitted: AdmittedHead | ControlRequest) -> None:
        """Report an admitted request, unless it is one that needs no token although others do."""
        needs_no_token = isinstance(admitted, ControlRequest) and admitted.caller is None
        if not needs_no_token or self._listener.admission.admits_everyone:
            self._authenticated = True
            self._listener.authenticated(self)

    def on_request_body(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.request_body(data)

    def on_request_complete(self) -> None:
        if self._exchange is not None:
            self._exchange.request_complete()

    def on_request_error(self, error: GatewayError) -> None:
        if not self._request_parser.head_done:
            self._head = None
        self._request_parser.is_last = True
        if self._exchange is not None:
            self._exchange.fail(error)
        else:
            self._reject(error)

    def _start_control(self, head: RequestHead, request: ControlRequest) -> None:
        """Hand a request without a body to uvicorn's ASGI path, as its own parser callbacks would."""
        self.parser = self._request_parser.parser
        super().on_message_begin()
        self.url = head.target
        self.headers.extend(head.fields)
        self.scope["state"]["caller"] = request.caller
        super().on_headers_complete()
        self.cycle.keep_alive = not self.must_close()
        super().on_message_complete()

    def admission_changed(self) -> None:
        """Every head has to be admitted anew."""
        self._cached_head = None
