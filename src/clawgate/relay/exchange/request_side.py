"""The request half of an exchange: from the client's bytes to a connection to the upstream that takes them.

Decides when to connect, what waits for whom, and when a request may be sent again: to the same upstream only where it
cannot have been received, or may be received twice, and to another one where the operator configured a fallback.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from clawgate.errors import BodyTooLarge, GatewayError, InternalError, Overloaded
from clawgate.relay.admission.plan import AdmittedHead, UpstreamAttempt
from clawgate.relay.exchange.attempts import Attempts
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.exchange.flow_control import BODY_BUDGET, FREE, NO_CONNECTION, UPSTREAM_WRITE, FlowControl
from clawgate.relay.exchange.request_body import RequestBody
from clawgate.relay.exchange.request_stream import REPLAY_LIMIT, SENT, RequestStream
from clawgate.relay.exchange.state import (
    AWAITING_HEAD,
    CONNECTING,
    DONE,
    PREPARING,
    RECEIVING,
    SENDING,
    STREAMING,
    State,
)
from clawgate.relay.interfaces import (
    Buffer,
    ClientConnection,
    Connection,
    PendingConnection,
    ResponseHandler,
    UpstreamSide,
)
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.sender import ResponseSender
from clawgate.relay.upstream.connection import COPY_BYTES
from clawgate.wire.http.message import LAST_CHUNK
from clawgate.wire.json.model_field import peek_model

logger = logging.getLogger("clawgate.relay")

_IDEMPOTENT_METHODS = (b"GET", b"HEAD", b"PUT", b"DELETE")
"""Of RFC 9110 section 9.2.2, those that the routes know."""

_T = TypeVar("_T")


if TYPE_CHECKING:
    _Handler = ResponseHandler
else:  # the other callbacks are those of `Exchange`: an empty one, inherited, would hide that it lacks one
    _Handler = object


class RequestSide(ABC, _Handler):
    """Base of `Exchange`, and no object of its own: one is made for each request, so each attribute costs.

    What most requests do not need is a default of the class.
    """

    state: State = RECEIVING
    _request: RequestStream = SENT
    _sent_whole: list[Buffer] | None = None  # what the fast path sent, to be sent again on a stale connection
    _task: asyncio.Task[None] | None = None  # while PREPARING
    _connecting: PendingConnection | None = None  # while CONNECTING
    _connection: Connection | None = None
    _response: ResponseSender | None = None  # from STREAMING on
    _attempts: Attempts | None = None  # where the upstream, or whether it is used, depends on the body
    _flow: FlowControl = FREE
    _in_budget = False  # whether the body is counted by the budget of the listener
    _model: str | None = None
    _request_sent_at: float | None = None

    def __init__(
        self, context: ExchangeContext, client: ClientConnection, head: AdmittedHead, now: float
    ) -> None:
        self._context = context
        self._client = client
        self._head = head
        self._upstream: UpstreamSide | None = head.upstream
        self._started_at = self._progress_at = now

    def _own_flow(self) -> FlowControl:
        if self._flow is FREE:
            self._flow = FlowControl(self._client)
        return self._flow

    @abstractmethod
    def fail(self, error: GatewayError) -> None:
        """End the exchange with an error of our own."""

    @abstractmethod
    def respond(self, made: MadeResponse) -> None:
        """End the exchange with a response that needs no upstream."""

    @property
    def awaits_client(self) -> bool:
        """Whether the exchange waits for more of the request, and nothing keeps the client from sending it."""
        return not (self._request.complete or self._flow.reasons or self._is_preparing)

    @property
    def _is_preparing(self) -> bool:
        """Whether something has to be done or waited for before anything can be sent."""
        return self._task is not None or self._connecting is not None

    # From the client: `start_request`, `request_body` again and again, `request_complete`; or all of it in one call.

    def start_request(self, head: bytes) -> None:
        """Begin with ``head``, which goes upstream first; empty where it depends on the body."""
        context = self._context
        body = RequestBody(self._head, context.body_limit, peeks=context.observes_all)
        self._request = RequestStream([head] if head else [], body)

    def request_body(self, data: bytes) -> None:
        if self.state is DONE or self._request.complete:
            return
        try:
            self._request.feed(data)
        except BodyTooLarge as error:
            self.fail(error)
            return
        if self._request.size >= COPY_BYTES or self._head.buffers_body:
            self._count_body()

    def _count_body(self) -> None:
        """Report the memory that the body takes to the budget, and read on only if that allows it."""
        budget, request = self._context.body_budget, self._request
        self._in_budget = True
        if self._head.buffers_body:
            # Where there is no memory at all, the exchange is failed before this returns.
            if not budget.may_read(self, request.held_bytes) and self.state is not DONE:
                self._own_flow().pause_client(BODY_BUDGET)
            return
        if not budget.has_room:
            request.drop_copies()
        self._hold_body(request.held_bytes)

    def _hold_body(self, size: int) -> None:
        self._in_budget = True
        try:
            self._context.body_budget.hold(self, size)
        except Overloaded as error:
            self.fail(error)

    def _release_body(self) -> None:
        """The request cannot be sent again: its body is not needed any more."""
        self._in_budget = False
        self._context.body_budget.release(self)
        if self._attempts is not None:
            self._attempts.discard_body()

    def resume_body(self) -> None:
        self._own_flow().resume_client(BODY_BUDGET)

    def reject_body(self, error: Overloaded) -> None:
        self.fail(error)

    def request_complete(self) -> None:
        if self.state is DONE:
            return
        body = self._request.end()
        if self._head.buffers_body:
            if self._in_budget:
                self._context.body_budget.complete(self)
            if self._flow.reasons & BODY_BUDGET:
                self.resume_body()
            self._choose_upstream(body or b"")
            return
        if body is not None:
            self._model = peek_model(body)
        if self._head.chunked:
            self._request.append(LAST_CHUNK)

    def send_complete_request(self, head: bytes, data: bytes, body_at: int) -> None:
        """The fast path of a request in one read: send ``head``, and ``data`` from ``body_at`` on, which is the body.

        Nothing depends on the body; a log may want its model.
        """
        if self._context.observes_all:
            self._model = peek_model(data[body_at:])
        # A large body is not copied for the sake of one buffer.
        pieces: list[Buffer] = (
            [head + data[body_at:]] if len(data) < COPY_BYTES else [head, memoryview(data)[body_at:]]
        )
        connection = self._current_upstream().pool.acquire()
        if connection is None:
            self._request = RequestStream(pieces)
            if len(data) >= COPY_BYTES:
                self._hold_body(len(data))
            if self.state is not DONE:
                self._connect()
            return
        self._connection = connection
        if len(data) < COPY_BYTES:
            self._sent_whole = pieces
        elif len(data) <= REPLAY_LIMIT and self._context.body_budget.has_room:
            self._hold_body(len(data))
            self._sent_whole = pieces
        self._request_sent_at = self._started_at
        self.state = AWAITING_HEAD
        connection.start_response(self, head_only=self._head.method == b"HEAD")
        connection.write(pieces)

    def send_routed_request(self, body: bytes) -> None:
        """The fast path of a request in one read whose upstream depends on the body."""
        self._request = RequestStream([])
        self._choose_upstream(body)

    def flush_request(self) -> None:
        """Send what can be sent; called at the end of each read from the client."""
        request = self._request
        if self.state is DONE or not request.is_ready:
            return
        connection = self._connection
        if connection is None:
            if self._is_preparing:
                if request.over_high_water:
                    self._own_flow().pause_client(NO_CONNECTION)
            elif (reused := self._current_upstream().pool.acquire()) is not None:
                self._attach(reused)
            else:
                self._connect()
            return
        pieces = request.take()
        self._progress_at = self._context.now()
        if self.state is not STREAMING:
            self.state = AWAITING_HEAD if request.complete else SENDING
        if request.complete:
            self._request_sent_at = self._progress_at
        connection.write(pieces)

    # Which upstream: at once, or by the body, and another one after a failure.

    def _choose_upstream(self, body: bytes) -> None:
        """Decide what depends on the body: its upstream, or whether its model is allowed."""
        if len(body) >= COPY_BYTES and self._head.router is not None:
            self._hold_body(2 * len(body))  # as it came, for a fallback, and as it is sent
            if self.state is DONE:
                return
        self._attempts = attempts = Attempts(self, self._head, self._request)
        try:
            attempts.choose(body)
        except GatewayError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001  # a router has many parts, plugins among them
            self._fail_unforeseen(error)

    def prepare(self, work: Callable[[], Awaitable[_T]], then: Callable[[_T], None]) -> None:
        self.state = PREPARING
        self._task = self._context.spawn(self._run_task(work, then))

    async def _run_task(self, work: Callable[[], Awaitable[_T]], then: Callable[[_T], None]) -> None:
        """The outermost frame of a task: any exception fails the exchange."""
        try:
            result = await work()
            self._task = None
            then(result)
        except GatewayError as error:
            self._task = None
            self.fail(error)
        except Exception as error:  # noqa: BLE001
            self._task = None
            self._fail_unforeseen(error)

    def _fail_unforeseen(self, error: Exception) -> None:
        logger.error("exchange failed with an unforeseen error %r", self, exc_info=error)
        self.fail(InternalError("an internal error; the log of clawgate says more"))

    def use_upstream(self, upstream: UpstreamSide) -> None:
        self._upstream = upstream

    def _try_next_attempt(self, *, status: int | None = None, error: GatewayError | None = None) -> bool:
        """Whether another upstream is tried, now that the current one failed so."""
        response = self._response
        if self._attempts is None or (response is not None and response.started):
            return False
        return self._attempts.advance(status=status, error=error)

    def abandon_attempt(self) -> None:
        self._release_upstream()
        self.state = PREPARING
        self._request_sent_at = self._response = None
        self._own_flow().reasons &= ~UPSTREAM_WRITE

    @property
    def _attempt(self) -> UpstreamAttempt | None:
        """The attempt under way; None where no router chose the upstream."""
        return self._attempts.current if self._attempts is not None else None

    def _current_upstream(self) -> UpstreamSide:
        assert self._upstream is not None, "nothing is sent before its upstream is chosen"
        return self._upstream

    # To the upstream.

    def _connect(self) -> None:
        context = self._context
        pool, target = self._current_upstream().pool, self._request.target
        self._connecting = pool.request(self, context.spawn, context.now, target)
        self.state = CONNECTING

    def on_connection(self, connection: Connection) -> None:
        self._connecting = None
        try:
            self._attach(connection)
        except Exception as error:  # noqa: BLE001  # the pool must not fail with one of its exchanges
            self._fail_unforeseen(error)

    def on_connect_failed(self, error: Exception) -> None:
        self._connecting = None
        if isinstance(error, GatewayError):
            self.fail(error)
        else:
            self._fail_unforeseen(error)

    def _attach(self, connection: Connection) -> None:
        """Send the request on ``connection``."""
        self._connection = connection
        self.state = SENDING
        small = self._request.size < COPY_BYTES
        if connection.reused and (small or self._context.body_budget.has_room):
            self._request.keep_for_replay()
        connection.start_response(self, head_only=self._head.method == b"HEAD")
        self.flush_request()
        if not connection.reused or self._flow.reasons & NO_CONNECTION:
            self._own_flow().resume_client(NO_CONNECTION)

    def _release_upstream(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
        """The connection ended before the response did: replay the request if that is safe, else fail."""
        self._connection = None
        if self._sent_whole is not None:
            self._request, self._sent_whole = RequestStream([], replay=self._sent_whole), None
        may_repeat = not_received or self._head.method in _IDEMPOTENT_METHODS
        if no_response and may_repeat and self._request.can_replay:
            self._request.rewind()
            self._own_flow().reasons &= ~UPSTREAM_WRITE  # that was the other connection
            self._connect()
            return
        self._request.discard_replay()
        self.fail(error)

    def on_upstream_write_paused(self) -> None:
        self._own_flow().pause_client(UPSTREAM_WRITE)

    def on_upstream_write_resumed(self) -> None:
        self._progress_at = self._context.now()
        self._own_flow().resume_client(UPSTREAM_WRITE)
