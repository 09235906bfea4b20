"""One relayed exchange: takes a request's bytes to the upstream and the answer's back, until either side ends.

It settles what is sent when: when to dial, when a stale connection may be tried once more, how a failure is shown
at each stage, and who has to wait for whom. It opens and reads no socket; the client's side is a `ClientConnection`,
the upstream's an `UpstreamConnection`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from clawgate.errors import BodyTooLarge, GatewayError, InternalError
from clawgate.policy.timeouts import Timestamps, expired_timeout
from clawgate.relay.admission.plan import (
    AdmittedHead,
    ModelAllowlist,
    RoutePlan,
    Router,
    UpstreamAttempt,
    make_response_writer,
)
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.exchange.failures import CLIENT_DISCONNECTED, redirect_error, timeout_error
from clawgate.relay.exchange.request_body import RequestBody
from clawgate.relay.interfaces import Buffer, ChunkPassthrough, ClientConnection, ResponseHead
from clawgate.relay.observe.record import CLIENT_LEFT, RequestRecord
from clawgate.relay.response.error_response import status_of
from clawgate.relay.response.sender import ResponseSender
from clawgate.relay.upstream.connection import COPY_BYTES, UpstreamConnection
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.http.message import LAST_CHUNK, chunk
from clawgate.wire.json.model_field import peek_model, require_model

logger = logging.getLogger("clawgate.relay")

BODY_HIGH_WATER = 65_536
"""How much of a body waits in memory for a connection before the client has to wait as well."""
REPLAY_LIMIT = 1_048_576
"""The largest request that is kept to be sent again when a reused connection turns out to be stale."""
ROUTE_OFFLOAD_BYTES = 262_144
"""A body from here on is searched for its model in a thread, so that other requests are served meanwhile."""
_IDEMPOTENT_METHODS = (b"GET", b"HEAD", b"PUT", b"DELETE")  # RFC 9110 section 9.2.2

_FAILED = 400


class Exchange:
    """See the module. ``done`` is True once nothing more can happen to it."""

    # Defaults stand on the class: most exchanges never touch them, and creation is on every request's path.
    done = False
    _request_done = False
    _connect_started_at: float | None = None
    _request_sent_at: float | None = None
    _body: RequestBody | None = None  # where the request is told in pieces
    _model: str | None = None
    _replay: list[Buffer] | None = None
    _connection: UpstreamConnection | None = None
    _dialling: asyncio.Task[None] | None = None
    _delivery: ResponseSender | None = None
    _plan: RoutePlan | None = None
    _attempt: UpstreamAttempt | None = None
    _no_room = False
    _client_full = False
    _upstream_full = False
    _sent = 0  # without a delivery
    _first_byte: float | None = None

    def __init__(
        self, shop: ExchangeContext, client: ClientConnection, ticket: AdmittedHead, now: float
    ) -> None:
        self._shop = shop
        self._client = client
        self._ticket = ticket
        self._upstream = ticket.upstream
        self._started_at = self._progress = now
        self._outgoing: list[Buffer] = []

    # The request's way: `start_request`, pieces of the body, `request_complete`; or all of it at once

    def start_request(self, head: bytes) -> None:
        """``head`` is what goes upstream first."""
        if head:
            self._outgoing.append(head)
        shop = self._shop
        self._body = RequestBody(self._ticket, shop.body_limit, peeks=shop.observes_all)

    def send_complete_request(self, head: bytes, data: bytes, body_at: int) -> None:
        """The short way: ``head`` goes upstream, and ``data`` from ``body_at`` on, which is all of the body.

        No rule reads that; a log may glance at it.
        """
        self._request_done = True
        if self._shop.observes_all:
            self._model = peek_model(data[body_at:])
        # A large body is not copied for the sake of one buffer.
        request: list[Buffer] = (
            [head + data[body_at:]] if len(data) < COPY_BYTES else [head, memoryview(data)[body_at:]]
        )
        connection = self._current_upstream().pool.acquire()
        if connection is None:
            self._outgoing = request
            self._dial()
            return
        self._connection = connection
        self._request_sent_at = self._started_at
        if len(data) <= REPLAY_LIMIT:
            self._replay = request
        connection.start_response(self, head_only=self._ticket.method == b"HEAD")
        connection.write(request)

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.done or self._body is None:
            return
        try:
            if piece := self._body.feed(data):
                self._outgoing.append(piece)
        except BodyTooLarge as error:
            self.fail(error)
            return
        if self._ticket.buffers_body and not self._shop.held.may_go_on(self, self._body.size):
            self._no_room = True
            self._client.pause_reading()

    def body_may_go_on(self) -> None:
        """There is room for the rest of the body."""
        self._no_room = False
        self._client.resume_reading()

    def request_complete(self) -> None:
        """The request is whole."""
        if self.done:
            return
        self._request_done = True
        if self._ticket.buffers_body:
            self._shop.held.let_go(self)
            if self._no_room:
                self.body_may_go_on()
        whole = self._body.read() if self._body is not None else None
        if whole is not None:
            self._read(whole)
        if self._ticket.chunked and not self._ticket.buffers_body:
            self._outgoing.append(LAST_CHUNK)

    def _read(self, body: bytes) -> None:
        """Decide what depends on the body: the upstream, whether its model is allowed, or just its name for the log."""
        ticket = self._ticket
        rule = ticket.model_allowlist
        if ticket.router is not None:
            self._route(body)
        elif rule is None:
            self._model = peek_model(body)
        elif len(body) >= ROUTE_OFFLOAD_BYTES:
            self._spawn(partial(self._check_model_in_thread, rule, body))
        else:
            try:
                self._check_model(rule, require_model(body), body)
            except GatewayError as error:
                self.fail(error)

    def _check_model(self, rule: ModelAllowlist, model: str, body: bytes) -> None:
        """Send ``body`` if its model is allowed. Raises `ModelNotFound`."""
        self._model = model
        rule.check(model)
        if body:
            self._outgoing.append(chunk(body) if self._ticket.chunked else body)
        if self._ticket.chunked:
            self._outgoing.append(LAST_CHUNK)

    async def _check_model_in_thread(self, rule: ModelAllowlist, body: bytes) -> None:
        model = await asyncio.to_thread(require_model, body)
        self._dialling = None
        self._check_model(rule, model, body)
        self.flush_request()

    def send_routed_request(self, body: bytes) -> None:
        """The short way where the upstream depends on the body: all of it came in one read."""
        self._request_done = True
        self._route(body)
        self.flush_request()

    def _route(self, body: bytes) -> None:
        """Choose the upstream by the body."""
        router = self._ticket.router
        assert router is not None
        if len(body) >= ROUTE_OFFLOAD_BYTES:
            self._spawn(partial(self._route_in_thread, router, body))
            return
        try:
            self._follow(router.route(self._ticket, body))
        except GatewayError as error:
            self.fail(error)
        except Exception:  # a router has many parts, plugins among them; the client must get a response
            logger.exception("routing failed with an unforeseen error")
            self.fail(InternalError("an internal error; the log of clawgate says more"))

    async def _route_in_thread(self, router: Router, body: bytes) -> None:
        plan = await asyncio.to_thread(router.route, self._ticket, body)
        self._dialling = None
        self._follow(plan)
        self.flush_request()

    def _follow(self, plan: RoutePlan) -> None:
        """Begin with the first attempt of ``plan``."""
        self._plan = plan
        self._model = plan.model
        self._start_attempt(plan.first_attempt())

    def _start_attempt(self, attempt: UpstreamAttempt) -> None:
        self._attempt = attempt
        self._upstream = attempt.upstream
        self._outgoing = list(attempt.request)
        if attempt.offload is not None:
            self._spawn(partial(self._complete, attempt, attempt.offload))

    async def _complete(self, attempt: UpstreamAttempt, offload: Callable[[], bytes]) -> None:
        """Other requests go on while the body is made."""
        attempt.complete(await asyncio.to_thread(offload))
        self._dialling = None
        self._outgoing = list(attempt.request)
        self.flush_request()

    def _try_next_attempt(self, *, status: int | None = None, error: GatewayError | None = None) -> bool:
        """Whether another upstream is asked now that the present one has failed; only a plan can name one."""
        begun = self._delivery is not None and self._delivery.started
        if self._plan is None or self._attempt is None or begun:
            return False
        attempt = self._plan.next_attempt(status=status, error=error)
        if attempt is None:
            return False
        self._release_upstream()
        self._connect_started_at = self._request_sent_at = self._replay = self._delivery = None
        self._upstream_full = False
        self._start_attempt(attempt)
        self.flush_request()
        return True

    def _current_upstream(self) -> Upstream:
        """The upstream that is being asked."""
        assert self._upstream is not None, "nothing is sent before it is known where to"
        return self._upstream

    def flush_request(self) -> None:
        """Send on what has come; called at the end of each read from the client."""
        if self.done or not self._outgoing or (self._ticket.buffers_body and not self._request_done):
            return
        if self._connection is None:
            if self._dialling is None:
                reused = self._current_upstream().pool.acquire()
                if reused is None:
                    self._dial()
                else:
                    self._attach(reused)
            elif not self._request_done and self._size() > BODY_HIGH_WATER:
                self._client.pause_reading()
            return
        pieces, self._outgoing = self._outgoing, []
        if self._replay is not None:
            if self._size() > REPLAY_LIMIT:
                self._replay = None
            else:
                self._replay += pieces
        self._progress = self._shop.now()
        if self._request_done:
            self._request_sent_at = self._progress
        self._connection.write(pieces)

    def _size(self) -> int:
        """Of the body, as far as it was told in pieces."""
        return self._body.size if self._body is not None else 0

    def _dial(self) -> None:
        self._connect_started_at = self._shop.now()
        self._spawn(self._connect)

    async def _connect(self) -> None:
        connection = await self._current_upstream().pool.dial()
        self._dialling = self._connect_started_at = None
        self._attach(connection)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what has to be waited for before anything can be sent."""
        self._dialling = self._shop.spawn(self._run_task(work))

    async def _run_task(self, work: Callable[[], Awaitable[None]]) -> None:
        """The outermost frame of a task: whoever waits for it must hear of its failure."""
        try:
            await work()
        except GatewayError as error:
            self._dialling = None
            self.fail(error)
        except Exception:
            origin = self._upstream.origin if self._upstream is not None else None
            logger.exception("exchange failed with an unforeseen error upstream=%s", origin)
            self._dialling = None
            self.fail(InternalError("an internal error; the log of clawgate says more"))

    def _attach(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        if connection.reused:
            self._replay = []
        connection.start_response(self, head_only=self._ticket.method == b"HEAD")
        self.flush_request()
        if not connection.reused and not self._upstream_full:
            self._client.resume_reading()

    # The answer's way: what an upstream connection tells its consumer

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        """The short way: a whole answer of a known shape. False where it has to go the long way."""
        client = self._client
        connection = self._connection
        upstream = self._current_upstream()
        if not self._request_done or connection is None or client.must_close():
            return False
        attempt = self._attempt
        if attempt is not None and not attempt.passthrough:
            return False
        for secret in upstream.secrets:
            if secret in head or (attempt is not None and secret in body):
                return False
        self._connection = None
        now = self._shop.now()
        self._first_byte = now - self._started_at
        upstream.pool.release(connection, now)
        answer = (
            head + body if attempt is None else b"%b%b\r\n%b" % (head[:-2], attempt.attribution_headers, body)
        )
        self._sent = len(answer)
        client.write(answer)
        self._finalize(status, None)
        client.response_complete()
        return True

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        """The answer begins."""
        self._replay = None
        if 300 <= head.status < 400 and head.status != 304:
            self.fail(redirect_error(self._current_upstream().origin, head, self._current_upstream().secrets))
            return None
        try:
            writer = make_response_writer(
                self._ticket,
                self._attempt,
                self._current_upstream(),
                head,
                http10=self._client.http10,
                close=not self._request_done or self._client.must_close(),
            )
        except GatewayError as error:
            self.fail(error)
            return None
        if head.status >= _FAILED and not writer.defers_status and self._try_next_attempt(status=head.status):
            return None
        self._delivery = ResponseSender(writer, self._client)
        now = self._shop.now()
        self._first_byte = now - self._started_at
        if writer.progress.content_started:
            self._progress = now
        return writer.extra_headers

    def on_response_body(self, body: bytes) -> None:
        """A piece of the answer's body."""
        if self._delivery is not None:
            try:
                self._delivery.writer.feed(body)
            except GatewayError as error:
                self.fail(error)

    def on_read_complete(self) -> None:
        """All of one read is here: send it on."""
        if self._delivery is not None:
            if self._delivery.has_progressed():
                self._progress = self._shop.now()
            try:
                self._delivery.send()
            except GatewayError as error:
                self.fail(error)

    def chunk_passthrough(self) -> ChunkPassthrough | None:
        """Asked between two chunks."""
        return self._delivery.passthrough() if self._delivery is not None and not self.done else None

    def on_response_complete(self) -> None:
        """The answer is whole."""
        connection, self._connection = self._connection, None
        delivery = self._delivery
        assert connection is not None and delivery is not None
        if not self._request_done:
            connection.reusable = False
        self._current_upstream().pool.release(connection, self._shop.now())
        try:
            answer = delivery.writer.flush(ended=True)
        except GatewayError as error:
            self.fail(error)
            return
        if delivery.writer.defers_status and self._try_next_attempt(status=delivery.writer.status):
            return
        delivery.write(answer)
        self._finalize(delivery.writer.status, delivery.writer.failure)
        self._client.response_complete()

    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
        """The connection ended before the answer did."""
        replay, self._replay = self._replay, None
        self._connection = None
        if (
            replay is not None
            and no_response
            and (not_received or self._ticket.method in _IDEMPOTENT_METHODS)
        ):
            self._outgoing = replay + self._outgoing
            self._upstream_full = False  # that was the other connection
            self._dial()
            return
        self.fail(error)

    def on_upstream_write_paused(self) -> None:
        """The upstream reads more slowly than the client sends."""
        self._upstream_full = True
        self._client.pause_reading()

    def on_upstream_write_resumed(self) -> None:
        """The upstream has caught up."""
        self._upstream_full = False
        self._progress = self._shop.now()
        self._client.resume_reading()

    # The client's side

    def on_client_write_paused(self) -> None:
        """The client reads more slowly than the upstream answers."""
        self._client_full = True
        if self._connection is not None:
            self._connection.transport.pause_reading()

    def on_client_write_resumed(self) -> None:
        """The client has caught up."""
        self._client_full = False
        if self._connection is not None:
            self._progress = self._shop.now()
            self._connection.transport.resume_reading()

    def client_disconnected(self) -> None:
        """Nobody waits for the answer any more: the upstream is freed at once, at whatever stage."""
        if not self.done:
            self._release_upstream()
            self._finalize(CLIENT_LEFT, CLIENT_DISCONNECTED)

    # How it can go wrong

    @property
    def awaits_client(self) -> bool:
        """Whether the next step is the client's: the rest of its body, with nobody in its way."""
        in_its_way = self._upstream_full or self._no_room or self._dialling is not None
        return not self._request_done and not in_its_way

    @property
    def client_write_paused(self) -> bool:
        """Whether the answer waits for the client to read."""
        return self._client_full

    def check_time(self, now: float) -> None:
        """Fail if one of the four limits has run out."""
        if self._upstream is None:  # the request itself is still on its way: the listener watches that
            return
        delivery = self._delivery
        if delivery is not None and delivery.has_progressed():
            self._progress = now
        limits = self._upstream.limits
        answered = delivery is not None and delivery.writer.progress.content_started
        times = Timestamps(
            started_at=self._started_at,
            progress_at=self._progress,
            connect_started_at=self._connect_started_at,
            request_sent_at=self._request_sent_at,
            response_started=answered,
        )
        stalled = not self._client_full if answered else self._upstream_full
        limit = expired_timeout(times, limits, now, upstream_stalled=stalled)
        if limit is not None:
            self.fail(timeout_error(self._upstream.origin, limit, getattr(limits, limit)))

    def fail(self, error: GatewayError) -> None:
        """End the exchange with our own error, in the form that its stage allows."""
        if self.done or self._try_next_attempt(error=error):
            return
        self._release_upstream()
        if self._plan is not None:
            error = self._plan.map_error(error)
        delivery = self._delivery
        if delivery is None or delivery.writer.headers_pending:
            self._delivery = None
            self._sent = self._client.send_error_response(
                error, self._attempt.attribution_headers if self._attempt is not None else b""
            )
            self._finalize(status_of(error), error)
            return
        delivery.abort(error)
        self._finalize(delivery.writer.status, error)

    def _release_upstream(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def _finalize(self, status: int, error: GatewayError | None) -> None:
        self.done = True
        shop = self._shop
        if self._ticket.buffers_body:
            shop.held.let_go(self)
        if shop.gate.rates is not None:
            shop.gate.release(self._ticket)
        observer = shop.observer_of(status, ours=error is not None)
        if observer is not None:
            ticket = self._ticket
            total = shop.now() - self._started_at
            observer(
                RequestRecord(
                    method=ticket.method,
                    path=ticket.path,
                    caller=ticket.caller,
                    model=self._model,
                    status=status,
                    code=error.code if error is not None else None,
                    sent=self._sent if self._delivery is None else self._delivery.sent,
                    first_byte=self._first_byte,
                    total=total,
                    reason=error.message if error is not None else None,
                    served=self._attempt.served_by if self._attempt is not None else None,
                )
            )
