"""One relayed exchange: takes a request's bytes to the upstream and the answer's back, until either side ends.

It settles what is sent when: when to dial, when a stale connection may be tried once more, how a failure is shown
at each stage, and who has to wait for whom. It opens and reads no socket; the client's side is a `ClientSide`,
the upstream's an `UpstreamConnection`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawgate.errors import BodyTooLarge, GatewayError
from clawgate.policy.deadlines import Times, expired
from clawgate.relay.connection import COPY_BYTES, UpstreamConnection
from clawgate.relay.gate import Gate, Ticket
from clawgate.relay.journal import CLIENT_LEFT, Observer, Record
from clawgate.relay.judged import JudgedAnswer
from clawgate.relay.plan import Attempt, Plan, writer_for
from clawgate.relay.render_error import status_of
from clawgate.relay.sides import AnswerHead, ClientSide, Piece, Writer
from clawgate.relay.upstream import Upstream
from clawgate.relay.verdict import LEFT, ran_out, redirected
from clawgate.wire.http1 import LAST_CHUNK, chunk
from clawgate.wire.peek import glance, model_of

logger = logging.getLogger("clawgate.relay")

HOLD_BYTES = 65_536
"""How much of a body waits in memory for a connection before the client has to wait as well."""
REPLAY_BYTES = 1_048_576
"""The largest request that is kept to be sent again when a reused connection turns out to be stale."""
GLANCE_BYTES = 1_048_576
"""The largest body that is looked into for the log's model name."""

_REPEATABLE = (b"GET", b"HEAD", b"PUT", b"DELETE")  # RFC 9110 section 9.2.2

_FAILED = 400
"""From here on an answer is something that an operator may want to know of, whoever failed."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What exchanges of one listener share: clock and gate, an owner for tasks, who is told of their ends."""

    now: Callable[[], float]
    gate: Gate
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    observer: Observer | None
    observes_all: bool
    """Whether the observer wants to know of whole answers too, and of the models."""
    body_limit: int


class Exchange:
    """See the module. ``over`` is True once nothing more can happen to it."""

    # Defaults stand on the class: most exchanges never touch them, and creation is on every request's path.
    over = False
    _request_done = False
    _connecting: float | None = None
    _asked: float | None = None
    _body: list[bytes] | None = None
    _body_size = 0
    _model: str | None = None
    _replay: list[Piece] | None = None
    _connection: UpstreamConnection | None = None
    _dialling: asyncio.Task[None] | None = None
    _writer: Writer | None = None
    _plan: Plan | None = None
    _attempt: Attempt | None = None
    _client_full = False
    _upstream_full = False
    _sent = 0
    _first_byte: float | None = None

    def __init__(self, shop: Shop, client: ClientSide, ticket: Ticket, now: float) -> None:
        self._shop = shop
        self._client = client
        self._ticket = ticket
        self._upstream = ticket.upstream
        self._begun = self._progress = now
        self._outgoing: list[Piece] = []

    # The request's way: `begin`, pieces of the body, `body_ended`; or all of it at once

    def begin(self, head: bytes) -> None:
        """``head`` is what goes upstream first."""
        if head:
            self._outgoing.append(head)
        # The body is kept whole where a rule has to read it, and in pieces for a glance where a log wants it.
        if self._ticket.waits or self._shop.observes_all:
            self._body = []

    def begin_whole(self, head: bytes, data: bytes, body_at: int) -> None:
        """The short way: ``head`` goes upstream, and ``data`` from ``body_at`` on, which is all of the body.

        No rule reads that; a log may glance at it.
        """
        self._request_done = True
        if self._shop.observes_all:
            self._model = glance(data[body_at:])
        # A large body is not copied for the sake of one buffer.
        request: list[Piece] = (
            [head + data[body_at:]] if len(data) < COPY_BYTES else [head, memoryview(data)[body_at:]]
        )
        connection = self._at().pool.take()
        if connection is None:
            self._outgoing = request
            self._dial()
            return
        self._connection = connection
        self._asked = self._begun
        if len(data) <= REPLAY_BYTES:
            self._replay = request
        connection.serve(self, head_only=self._ticket.method == b"HEAD")
        connection.write(request)

    def body(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.over:
            return
        self._body_size += len(data)
        if self._body_size > self._shop.body_limit:
            self.fail(BodyTooLarge(f"the body is over the limit of {self._shop.body_limit} bytes"))
            return
        if self._body is not None:
            if not self._ticket.waits and self._body_size > GLANCE_BYTES:
                self._body = None
            else:
                self._body.append(data)
        if self._ticket.planner is None:
            self._outgoing.append(chunk(data) if self._ticket.chunked else data)

    def body_ended(self) -> None:
        """The request is whole."""
        if self.over:
            return
        if self._ticket.chunked:
            self._outgoing.append(LAST_CHUNK)
        self._request_done = True
        if self._body is not None:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body = None
            if self._ticket.planner is not None:
                self._make_plan(body)
            elif self._ticket.model_rule is None:
                self._model = glance(body)
            else:
                try:
                    self._model = model_of(body)
                    self._ticket.model_rule.check(self._model)
                except GatewayError as error:
                    self.fail(error)

    def _make_plan(self, body: bytes) -> None:
        """Where the upstream depends on the body: ask who is to answer."""
        planner, asked = self._ticket.planner, self._ticket.asked
        assert planner is not None and asked is not None
        try:
            self._plan = planner.plan(asked, self._ticket.path, body)
            self._model = self._plan.model
            self._take_up(self._plan.first())
        except GatewayError as error:
            self.fail(error)
        except Exception:  # the planner's parts are many; whoever waits must hear of it
            logger.exception("a request could not be planned in an unforeseen way")
            self.fail(GatewayError("an internal error; the log of clawgate says more"))

    def _take_up(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._upstream = attempt.upstream
        self._outgoing = list(attempt.request)

    def _goes_on(self, *, status: int | None = None, error: GatewayError | None = None) -> bool:
        """Whether another upstream is asked now that the present one has failed; only a plan can name one."""
        begun = self.answer_begun and not isinstance(self._writer, JudgedAnswer)  # that is sent as a whole
        if self._plan is None or self._attempt is None or begun:
            return False
        attempt = self._plan.after(status=status, error=error)
        if attempt is None:
            return False
        self._let_go()
        self._connecting = self._asked = self._replay = self._writer = None
        self._upstream_full = False
        self._take_up(attempt)
        self.push()
        return True

    def _at(self) -> Upstream:
        """The upstream that is being asked."""
        assert self._upstream is not None, "nothing is sent before it is known where to"
        return self._upstream

    def push(self) -> None:
        """Send on what has come; called at the end of each read from the client."""
        if self.over or not self._outgoing or (self._ticket.waits and not self._request_done):
            return
        if self._connection is None:
            if self._dialling is None:
                reused = self._at().pool.take()
                if reused is None:
                    self._dial()
                else:
                    self._attach(reused)
            elif self._body_size > HOLD_BYTES:
                self._client.hold_reading()
            return
        pieces, self._outgoing = self._outgoing, []
        if self._replay is not None:
            if self._body_size > REPLAY_BYTES:
                self._replay = None
            else:
                self._replay += pieces
        self._progress = self._shop.now()
        if self._request_done:
            self._asked = self._progress
        self._connection.write(pieces)

    def _dial(self) -> None:
        self._connecting = self._shop.now()
        self._dialling = self._shop.spawn(self._connect())

    async def _connect(self) -> None:
        try:
            connection = await self._at().pool.dial()
            self._dialling = self._connecting = None
            self._attach(connection)
        except GatewayError as error:
            self._dialling = None
            self.fail(error)
        except Exception:  # the outermost frame of a task: whoever waits for it must hear of it
            logger.exception("dialling %s failed in an unforeseen way", self._at().origin)
            self._dialling = None
            self.fail(GatewayError("an internal error; the log of clawgate says more"))

    def _attach(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        if connection.reused:
            self._replay = []
        connection.serve(self, head_only=self._ticket.method == b"HEAD")
        self.push()
        if not connection.reused and not self._upstream_full:
            self._client.resume_reading()

    # The answer's way: what an upstream connection tells its consumer

    def upstream_whole(self, status: int, head: bytes, body: bytes) -> bool:
        """The short way: a whole answer of a known shape. False where it has to go the long way."""
        client = self._client
        connection = self._connection
        upstream = self._at()
        if not self._request_done or connection is None or client.must_close():
            return False
        attempt = self._attempt
        if attempt is not None and not attempt.spliced:
            return False
        for secret in upstream.secrets:
            if secret in head or (attempt is not None and secret in body):
                return False
        self._connection = None
        now = self._shop.now()
        self._first_byte = now - self._begun
        upstream.pool.give_back(connection, now)
        answer = head + body if attempt is None else b"%b%b\r\n%b" % (head[:-2], attempt.names, body)
        self._sent = len(answer)
        client.write(answer)
        self._end(status, None)
        client.finish()
        return True

    def upstream_answers(self, head: AnswerHead) -> bytes | None:
        """The answer begins."""
        self._replay = None
        if 300 <= head.status < 400 and head.status != 304:
            self.fail(redirected(self._at().origin, head))
            return None
        try:
            writer = writer_for(
                self._ticket,
                self._attempt,
                self._at(),
                head,
                http10=self._client.http10,
                close=not self._request_done or self._client.must_close(),
            )
        except GatewayError as error:
            self.fail(error)
            return None
        judged = isinstance(writer, JudgedAnswer)  # what its status really is will be known at its end
        if head.status >= _FAILED and not judged and self._goes_on(status=head.status):
            return None
        self._writer = writer
        self._first_byte = self._shop.now() - self._begun
        return writer.own_lines

    def upstream_sends(self, body: bytes) -> None:
        """A piece of the answer's body."""
        if self._writer is not None:
            try:
                self._writer.add(body)
            except GatewayError as error:
                self.fail(error)

    def upstream_chunk(self, framed: bytes, at: int) -> bool:
        """The short way: a chunk whose framing suits the client as well."""
        writer = self._writer
        if writer is None or not writer.passes_chunks:
            return False
        for secret in writer.screens:
            if secret in framed:
                return False
        writer.note(framed, at)
        self._progress = self._shop.now()
        self._sent += len(framed)
        self._client.write(framed)
        return True

    def upstream_flush(self) -> None:
        """All of one read is here: send it on."""
        if self._writer is not None:
            self._progress = self._shop.now()
            try:
                self._write(self._writer.take(ended=False))
            except GatewayError as error:
                self.fail(error)

    def upstream_ends(self) -> None:
        """The answer is whole."""
        connection, self._connection = self._connection, None
        assert connection is not None and self._writer is not None
        if not self._request_done:
            connection.reusable = False
        self._at().pool.give_back(connection, self._shop.now())
        try:
            answer = self._writer.take(ended=True)
        except GatewayError as error:
            self.fail(error)
            return
        if isinstance(self._writer, JudgedAnswer) and self._goes_on(status=self._writer.status):
            return
        self._write(answer)
        self._end(self._writer.status, None)
        self._client.finish()

    def upstream_fails(self, error: GatewayError, *, silent: bool, unheard: bool) -> None:
        """The connection ended before the answer did."""
        replay, self._replay = self._replay, None
        self._connection = None
        if replay is not None and silent and (unheard or self._ticket.method in _REPEATABLE):
            self._outgoing = replay + self._outgoing
            self._dial()
            return
        self.fail(error)

    def upstream_pauses(self) -> None:
        """The upstream reads more slowly than the client sends."""
        self._upstream_full = True
        self._client.hold_reading()

    def upstream_resumes(self) -> None:
        """The upstream has caught up."""
        self._upstream_full = False
        self._progress = self._shop.now()
        self._client.resume_reading()

    # The client's side

    def client_full(self) -> None:
        """The client reads more slowly than the upstream answers."""
        self._client_full = True
        if self._connection is not None:
            self._connection.transport.pause_reading()

    def client_drained(self) -> None:
        """The client has caught up."""
        self._client_full = False
        if self._connection is not None:
            self._progress = self._shop.now()
            self._connection.transport.resume_reading()

    def client_left(self) -> None:
        """Nobody waits for the answer any more: the upstream is freed at once, at whatever stage."""
        if not self.over:
            self._let_go()
            self._end(CLIENT_LEFT, LEFT)

    # How it can go wrong

    @property
    def answer_begun(self) -> bool:
        """Whether anything of an answer was sent."""
        return self._writer is not None and not self._writer.unsent

    @property
    def awaits_client(self) -> bool:
        """Whether the next step is the client's: the rest of its body, with nobody in its way."""
        return not self._request_done and not self._upstream_full and self._dialling is None

    @property
    def client_is_full(self) -> bool:
        """Whether the answer waits for the client to read."""
        return self._client_full

    def check_time(self, now: float) -> None:
        """Fail if one of the four limits has run out."""
        if self._upstream is None:  # the request itself is still on its way: the listener watches that
            return
        limits = self._upstream.limits
        answered = self._writer is not None and self._writer.begun
        times = Times(
            begun=self._begun,
            progress=self._progress,
            connecting=self._connecting,
            asked=self._asked,
            answered=answered,
        )
        stalled = not self._client_full if answered else self._upstream_full
        limit = expired(times, limits, now, upstream_stalled=stalled)
        if limit is not None:
            self.fail(ran_out(self._upstream.origin, limit, getattr(limits, limit)))

    def fail(self, error: GatewayError) -> None:
        """End the exchange with our own error, in the form that its stage allows."""
        if self.over or self._goes_on(error=error):
            return
        self._let_go()
        if self._plan is not None:
            error = self._plan.final(error)
        if self._writer is None or self._writer.unsent:
            self._sent = self._client.answer_error(
                error, self._attempt.names if self._attempt is not None else b""
            )
            self._end(status_of(error), error)
            return
        words = self._writer.last_words(error)
        self._write(words)
        self._end(self._writer.status, error)
        self._client.cut(at_once=self._writer.until_close and not words)

    def _let_go(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def _write(self, data: bytes) -> None:
        if data:
            self._sent += len(data)
            self._client.write(data)

    def _end(self, status: int, error: GatewayError | None) -> None:
        self.over = True
        shop = self._shop
        if shop.gate.rates is not None:
            shop.gate.leave(self._ticket)
        observer = shop.observer
        if observer is not None and (error is not None or shop.observes_all or status >= _FAILED):
            ticket = self._ticket
            total = shop.now() - self._begun
            observer(
                Record(
                    method=ticket.method,
                    path=ticket.path,
                    caller=ticket.caller,
                    model=self._model,
                    status=status,
                    code=error.code if error is not None else None,
                    sent=self._sent,
                    first_byte=self._first_byte,
                    total=total,
                    reason=error.message if error is not None else None,
                    served=self._attempt.served_by if self._attempt is not None else None,
                )
            )
