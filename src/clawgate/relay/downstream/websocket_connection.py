"""A client connection that became a WebSocket: frames, limits and the end, in front of a `SocketHandler`.

Invariants: nothing here waits for a client, and no client for another: messages are read in small steps, and what a
client leaves unread is bounded. A socket that has begun to close passes nothing on. The handler is called back until
`closed`, and never from within its own calls. Must not log a payload.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableSet
from typing import TYPE_CHECKING, Any

from clawgate.errors import GatewayError
from clawgate.policy.client_ip import client_key
from clawgate.relay.admission.admission import ANONYMOUS
from clawgate.relay.admission.upgrade import AdmittedSocket
from clawgate.relay.downstream.pipeline import PIPELINE_STEP, PipelineBuffer
from clawgate.relay.downstream.websocket_messages import ABNORMAL_CLOSURE, WebSocketMessages
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.websocket import (
    AUTHENTICATION_SECONDS,
    MESSAGE_BYTES,
    POLICY_VIOLATION,
    REFUSED_CALLS,
    SERVICE_RESTART,
    UNAUTHENTICATED_MESSAGE_BYTES,
    UNAUTHENTICATED_UNSENT_BYTES,
    UNSENT_BYTES,
    SocketHandler,
)
from clawgate.wire.http.message import STATUS_LINE

if TYPE_CHECKING:
    from clawgate.relay.downstream.connections import ConnectionManager

logger = logging.getLogger("clawgate.relay")

PING_SECONDS = 30.0
SILENCE_SECONDS = 2 * PING_SECONDS
"""A client that has sent nothing for so long, not even a pong, has gone."""
CLOSE_SECONDS = 5.0
"""From our close frame to the client's."""
INTERNAL_ERROR, CREDENTIALS_CHANGED = 1011, 4001
"""4001 is what OpenClaw 2026.9.6 sends when the credentials of its gateway are others."""
FAULTS = frozenset({1002, 1003, 1007, POLICY_VIOLATION, 1009, INTERNAL_ERROR})
"""What closes a socket for a fault of one of the two sides."""
_SWITCHING = 101


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket. `start` takes the connection over from the protocol that read the upgrade."""

    def __init__(
        self,
        listener: ConnectionManager,
        admitted: AdmittedSocket,
        handler: SocketHandler,
    ) -> None:
        self.head = admitted.head
        self.peer, self.remote = admitted.peer, admitted.remote
        origin = admitted.get(b"origin")
        self.origin = None if origin is None else origin.decode("latin-1")
        self.socket_key = client_key(admitted.peer)
        self.transport: asyncio.Transport
        self._accept = admitted.accept
        self._listener = listener
        self._handler = handler
        self._siblings: MutableSet[Any]  # what uvicorn shuts down
        self._messages = WebSocketMessages(UNAUTHENTICATED_MESSAGE_BYTES)
        self._unread: PipelineBuffer | None = None  # what waits for its step
        self._reading_paused = False
        self._caller = ANONYMOUS
        self._credentials: object = None  # of the gateway, when the client showed who it is
        self._is_stopping = False
        self._end: tuple[int, str] | None = None  # once it has begun to close
        self._is_over = False  # whether the handler was called back for the last time
        self._refused = 0
        self._sent = 0
        self._opened_at = self._received_at = self._pinged_at = self._closing_at = listener.now()

    def start(
        self, transport: asyncio.Transport, siblings: MutableSet[Any], unread: PipelineBuffer | None
    ) -> None:
        """Accept the upgrade. ``unread`` came behind it, as frames."""
        self.transport = transport
        self._siblings = siblings
        siblings.add(self)
        transport.set_protocol(self)
        head = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % self._accept
        self._write(STATUS_LINE[_SWITCHING] + head)
        self._record()
        self._call(self._handler.opened, self)
        if unread:
            self._unread = unread
            self._read_step()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._received_at = self._listener.now()
        if self._unread is not None:
            self._unread.append(data)
        elif len(data) <= PIPELINE_STEP:
            self._read(data)
            return
        else:
            self._unread = PipelineBuffer(data)
            self._read_step()
        self._update_reading()

    def eof_received(self) -> None:
        unread, self._unread = self._unread, None
        while unread:
            self._read(unread.pop())
        self._messages.feed_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread = None
        self._siblings.discard(self)
        self._listener.connection_closed(self)
        if self._end is None:
            self._end = ABNORMAL_CLOSURE, ""
        self._notify_closed()

    # What the client sends

    def _read_step(self) -> None:
        """Read some of what waits; other connections get their turn before the rest."""
        unread = self._unread
        if unread is None:
            return
        self._read(unread.pop())
        if unread:
            asyncio.get_running_loop().call_soon(self._read_step)
        else:
            self._unread = None
        self._update_reading()

    def _update_reading(self) -> None:
        is_full = self._unread is not None and self._unread.is_full
        if is_full is not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = is_full
            (self.transport.pause_reading if is_full else self.transport.resume_reading)()

    def _read(self, data: bytes) -> None:
        for text in self._messages.feed(data):
            self._flush()
            if self._end is not None:
                break
            self._call(self._handler.message, text)
        self._flush()

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:  # one client's message must not end what others have
            logger.exception("websocket handler failed")
            self.close(INTERNAL_ERROR, "internal error")

    # What is sent, see `Socket`

    def send(self, text: bytes) -> None:
        if self._end is None:
            if self._lags:
                self.close(POLICY_VIOLATION, "slow consumer")
            else:
                self._write(self._messages.frame(text))

    def close(self, code: int, reason: str) -> None:
        if self._end is None:
            self._messages.close(code, reason)
            self._flush()

    def authenticated(self, caller: str) -> None:
        if self._end is None:
            self._caller = caller
            self._credentials = self._listener.admission.credentials
            self._messages.allow(MESSAGE_BYTES)
            self._listener.authenticated(self)

    def refused(self) -> int:
        self._refused += 1
        if self._refused >= REFUSED_CALLS:
            self.close(POLICY_VIOLATION, "too many refused calls")
        return self._refused

    @property
    def _lags(self) -> bool:
        """Whether more waits for the client to read than may."""
        limit = UNAUTHENTICATED_UNSENT_BYTES if self._credentials is None else UNSENT_BYTES
        return self.transport.get_write_buffer_size() > limit

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._sent += len(data)
            self.transport.write(data)

    def _flush(self) -> None:
        """Write what frames called for, and begin the end if they did."""
        pending, end = self._messages.pending(), self._messages.end
        if end is not None and self._end is None:
            self._end = end
            self._closing_at = self._listener.now()
            asyncio.get_running_loop().call_soon(self._notify_closed)
        elif pending and self._lags:  # pongs, for a client that reads none of them
            if self._end is not None:
                self.transport.abort()
            self.close(POLICY_VIOLATION, "slow consumer")
            return
        for data in pending:
            if data:
                self._write(data)
            elif self.transport.can_write_eof() and not self.transport.is_closing():
                self.transport.write_eof()  # the client closes; closing here could reset what it has not read
            else:
                self.transport.close()

    # The end

    def _notify_closed(self) -> None:
        if self._is_over or self._end is None:
            return
        self._is_over = True
        self._record(*self._end)
        self._call(self._handler.closed, *self._end)

    def _record(self, close_code: int | None = None, reason: str = "") -> None:
        """Record the beginning of this socket, or its end with ``close_code``."""
        observer = self._listener.context.observer
        if observer is None:
            return
        seconds = self._listener.now() - self._opened_at
        is_fault = close_code in FAULTS and not self._messages.closed_by_client
        if close_code is not None:
            # A reason of the client's is content.
            reason = reason if is_fault else f"closed with {close_code}"
        observer(
            RequestRecord(
                method=self.head.method,
                path=self.head.target.partition(b"?")[0],
                caller=self._caller,
                model=None,
                status=_SWITCHING,
                code=f"close_{close_code}" if is_fault else None,
                sent=self._sent,
                first_byte=seconds if close_code is None else None,
                total=seconds,
                reason=reason or None,
            )
        )

    # What `ConnectionManager` calls

    @property
    def is_idle(self) -> bool:
        return self._end is not None or not self._handler.is_busy

    @property
    def held_bytes(self) -> int:
        """How much waits here: for the rest of a message, for its turn, and for the client to read it."""
        unread = 0 if self._unread is None else len(self._unread)
        return self._messages.held_bytes + unread + self.transport.get_write_buffer_size()

    def check_timeouts(self, now: float) -> None:
        if self._end is not None:
            if now - self._closing_at >= CLOSE_SECONDS:
                self.transport.abort()
        elif self._credentials is None and now - self._opened_at >= AUTHENTICATION_SECONDS:
            self.close(POLICY_VIOLATION, f"not authenticated within {AUTHENTICATION_SECONDS:g} s")
        elif now - self._received_at >= SILENCE_SECONDS:
            self.transport.abort()
        elif self._is_stopping and self.is_idle:
            self.close(SERVICE_RESTART, "service restart")
        elif now - self._pinged_at >= PING_SECONDS:
            self._pinged_at = now
            self._messages.ping()
            self._flush()

    def admission_changed(self) -> None:
        if self._credentials not in (None, self._listener.admission.credentials):
            self.close(CREDENTIALS_CHANGED, "gateway auth changed")

    def shutdown(self) -> None:
        """The process begins to stop, see `uvicorn.server.Server.shutdown`."""
        self._is_stopping = True
        if self._end is None:
            self._call(self._handler.stopping)
        if self.is_idle:
            self.close(SERVICE_RESTART, "service restart")

    def close_if_idle(self) -> None:
        if self._end is not None:
            self.transport.abort()
        elif self.is_idle:
            self.close(SERVICE_RESTART, "service restart")

    def stop(self, error: GatewayError) -> None:
        if self._end is None:
            self._call(self._handler.stopped)
            self.close(SERVICE_RESTART, "service restart")
        else:
            self.transport.abort()
