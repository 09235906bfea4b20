"""One relayed exchange: carries a request to its upstream and the response back, until either side ends.

Decides what is sent when: when to connect, when a stale connection may be tried once more, how a failure is shown at
each stage, and who has to wait for whom. Must not open or read a socket: the client is a `ClientConnection`, the
upstream an `UpstreamConnection`, and both call back.
"""

from __future__ import annotations

from clawgate.errors import GatewayError
from clawgate.policy.timeouts import Timestamps, expired_timeout
from clawgate.relay.admission.plan import make_response_writer
from clawgate.relay.exchange.failures import CLIENT_DISCONNECTED, redirect_error, timeout_error
from clawgate.relay.exchange.request_side import RequestSide
from clawgate.relay.exchange.state import DONE, STREAMING
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead
from clawgate.relay.observe.record import CLIENT_LEFT, RequestRecord
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.error_response import status_of
from clawgate.relay.response.head import Framing, encode_head
from clawgate.relay.response.operator_error import for_operator
from clawgate.relay.response.sender import ResponseSender
from clawgate.relay.upstream.connection import COPY_BYTES

_FAILED = 400


class Exchange(RequestSide):
    """See the module. Its state is one value of `State`."""

    _first_byte_seconds: float | None = None
    _bytes_sent = 0  # without a sender

    def __repr__(self) -> str:
        upstream = self._upstream.origin if self._upstream is not None else "-"
        return (
            f"<Exchange {self.state.name} {self._head.method.decode('latin-1')} "
            f"{self._head.path.decode('latin-1')} upstream={upstream}>"
        )

    @property
    def done(self) -> bool:
        return self.state is DONE

    # The response: what an upstream connection calls back.

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        """The fast path of a response in one read with a known head. False: it has to be parsed."""
        client = self._client
        connection = self._connection
        upstream = self._current_upstream()
        if not self._request.complete or connection is None or client.must_close():
            return False
        attempts = self._attempts
        attempt = attempts.current if attempts is not None else None
        if attempt is not None and not (
            attempt.passthrough and body.startswith(b"{")
        ):  # it may be an event stream
            return False
        if attempt is not None and any(secret in body for secret in upstream.secrets):
            return False
        self._connection = None
        now = self._context.now()
        self._first_byte_seconds = now - self._started_at
        connection.release(now)
        if attempt is not None:
            attempt.on_success()
            head = b"%b%b\r\n" % (head[:-2], attempt.attribution_headers)
        response = head + body
        self._bytes_sent = len(response)
        client.write(response)
        self._finalize(status, None)
        client.response_complete()
        return True

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        self._request.discard_replay()
        self._sent_whole = None
        upstream = self._current_upstream()
        attempt = self._attempt
        if 300 <= head.status < 400 and head.status != 304:
            self.fail(redirect_error(upstream.origin, head, upstream.secrets))
            return None
        close = not self._request.complete or self._client.must_close()
        try:
            writer = make_response_writer(
                self._head, attempt, upstream, head, http10=self._client.http10, close=close
            )
        except GatewayError as error:
            self.fail(error)
            return None
        if head.status >= _FAILED and not writer.defers_status and self._try_next_attempt(status=head.status):
            return None
        self.state = STREAMING
        self._response = ResponseSender(writer, self._client)
        self._progress_at = self._context.now()
        self._first_byte_seconds = self._progress_at - self._started_at
        return writer.extra_headers

    def on_response_body(self, body: bytes) -> None:
        if self._response is not None:
            try:
                self._response.writer.feed(body)
            except GatewayError as error:
                self.fail(error)

    def on_read_complete(self) -> None:
        response = self._response
        if response is None:
            return
        try:
            response.send()
        except GatewayError as error:
            self.fail(error)
            return
        held = response.writer.held_bytes
        if held >= COPY_BYTES:
            self._hold_body(held if response.started else held + self._request.held_bytes)
        elif self._in_budget and response.started:
            self._release_body()

    def chunk_passthrough(self) -> ChunkPassthrough | None:
        """Return a passthrough for the next chunks if none of them has to be looked at."""
        response = self._response
        return response.passthrough() if response is not None and self.state is not DONE else None

    def on_response_complete(self) -> None:
        connection, self._connection = self._connection, None
        response = self._response
        assert connection is not None and response is not None
        writer = response.writer
        if not self._request.complete:
            connection.reusable = False
        connection.release(self._context.now())
        try:
            rest = writer.flush(ended=True)
        except GatewayError as error:
            self.fail(error)
            return
        if writer.defers_status and self._try_next_attempt(status=writer.status):
            return
        response.write(rest)
        self._finalize(writer.status, writer.failure)
        self._client.response_complete()

    def respond(self, made: MadeResponse) -> None:
        """Send a response that needs no upstream."""
        framing = Framing(len(made.body), http10=self._client.http10)
        head = encode_head(made.status, made.lines, framing, close=self._client.must_close())
        response = head + made.body
        self._bytes_sent = len(response)
        self._client.write(response)
        self._finalize(made.status, made.failure)
        self._client.response_complete()

    # The client.

    def on_client_write_paused(self) -> None:
        """The client reads more slowly than the upstream responds."""
        self._own_flow().client_write_paused = True
        if self._connection is not None:
            self._connection.pause_reading()

    def on_client_write_resumed(self) -> None:
        """The client has caught up."""
        self._own_flow().client_write_paused = False
        if self._connection is not None:
            self._progress_at = self._context.now()
            self._connection.resume_reading()

    def client_disconnected(self) -> None:
        """The client is gone: free the upstream at once, in whatever state."""
        if self.state is not DONE:
            self._release_upstream()
            self._finalize(CLIENT_LEFT, CLIENT_DISCONNECTED)

    # How it ends.

    def check_time(self, now: float) -> None:
        """Fail if one of the four limits has run out. Called about once a second: progress counts from this call on."""
        if self._upstream is None:  # the request is still being received: the listener watches that
            return
        connecting = self._connecting
        if connecting is not None and (exhausted := connecting.expired(now)) is not None:
            self.fail(exhausted)
            return
        response, flow, limits = self._response, self._flow, self._upstream.limits
        if response is not None and response.has_progressed():
            self._progress_at = now
        started = response is not None and response.writer.progress.content_started
        times = Timestamps(
            started_at=self._started_at,
            progress_at=self._progress_at,
            connect_started_at=connecting.dial_started_at if connecting is not None else None,
            request_sent_at=self._request_sent_at,
            response_started=started,
        )
        stalled = not flow.client_write_paused if started else flow.upstream_write_paused
        limit = expired_timeout(times, limits, now, upstream_stalled=stalled)
        if limit is not None:
            self.fail(timeout_error(self._upstream.origin, limit, getattr(limits, limit)))
        elif response is not None and not flow.client_write_paused:
            try:
                response.keep_alive(now)
            except GatewayError as error:
                self.fail(error)

    def fail(self, error: GatewayError) -> None:
        """End the exchange with an error of our own, in the form that its state allows."""
        if self.state is DONE or self._try_next_attempt(error=error):
            return
        self._release_upstream()
        attempts, attempt = self._attempts, self._attempt
        if attempts is not None:
            error = attempts.map_error(error)
        if self._upstream is not None:
            error = for_operator(error, self._upstream.operator_status)
        response = self._response
        if response is None or response.writer.headers_pending:
            self._response = None
            self._bytes_sent = self._client.send_error_response(
                error, attempt.attribution_headers if attempt is not None else b""
            )
            self._finalize(status_of(error), error)
            return
        response.abort(error)
        self._finalize(response.writer.status, error)

    def _finalize(self, status: int, error: GatewayError | None) -> None:
        """Give back what the exchange holds, and record it."""
        self.state = DONE
        context, head = self._context, self._head
        if self._in_budget:
            self._release_body()
        if context.admission.rates is not None:
            context.admission.release(head)
        observer = context.observer_of(status, ours=error is not None)
        if observer is not None:
            observer(self._record(status, error))
        if self._attempts is not None:
            self._attempts.close()

    def _record(self, status: int, error: GatewayError | None) -> RequestRecord:
        head, attempts, response, attempt = self._head, self._attempts, self._response, self._attempt
        return RequestRecord(
            method=head.method,
            path=head.path,
            caller=head.caller,
            model=attempts.model if attempts is not None else self._model,
            status=status,
            code=error.code if error is not None else None,
            sent=response.sent if response is not None else self._bytes_sent,
            first_byte=self._first_byte_seconds,
            total=self._context.now() - self._started_at,
            reason=error.log_text if error is not None else None,
            served=attempt.served_by if attempt is not None else None,
        )
