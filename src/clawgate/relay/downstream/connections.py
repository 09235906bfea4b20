"""Tracks the client connections of one listener and enforces connection limits and timeouts.

All timeouts are checked about once a second for all connections, in place of a timer for each request: the limits are
seconds to minutes, and a check costs nothing on the path of a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.errors import ConcurrencyLimitExceeded, GatewayError, Overloaded
from clawgate.policy.client_ip import client_key
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.upgrade import AdmittedSocket
from clawgate.relay.downstream.error_replies import process_stops
from clawgate.relay.downstream.pipeline import PipelineBuffer
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.observe.record import Observer
from clawgate.relay.upstream.upstream import Upstream
from clawgate.relay.websocket import AUTHENTICATION_SECONDS

if TYPE_CHECKING:
    from clawgate.relay.downstream.websocket_connection import WebSocketConnection

logger = logging.getLogger("clawgate.relay")

REJECTED_CONNECTIONS = 64
"""Connections beyond the limit that get time to read the response that says so. Further ones are closed at once."""
UNAUTHENTICATED_SOCKETS = 32
"""WebSockets of one address on which nothing has shown yet who it is (CVE-2026-41399)."""
_POLL_SECONDS = 0.02

_Connection: TypeAlias = "RelayProtocol | WebSocketConnection"
MakeSocket: TypeAlias = "Callable[[ConnectionManager, AdmittedSocket], WebSocketConnection]"


class ConnectionManager:
    """The state that one listener's connections share. ``upstreams`` may change while it serves.

    ``make_socket`` makes a WebSocket of an admitted upgrade; None where `Admission.socket_paths` is empty.
    """

    def __init__(
        self,
        *,
        admission: Admission,
        upstreams: Collection[Upstream],
        limits: ClientLimits,
        observer: Observer | None,
        observes_all: bool = True,
        clock: Callable[[], float] | None = None,
        make_socket: MakeSocket | None = None,
    ) -> None:
        self.admission = admission
        self.limits = limits
        self.upstreams = upstreams
        self._observer = observer
        self._observes_all = observes_all
        self._connections: dict[_Connection, None] = {}
        self._unauthenticated: dict[_Connection, None] = {}
        self._rejected: dict[_Connection, None] = {}
        self._handshakes: dict[_Connection, Callable[[], object]] = {}
        """Unfinished TLS handshakes, and how each is aborted."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._timeout_timer: asyncio.TimerHandle | None = None
        self._clock = clock
        self._make_socket = make_socket
        self.now: Callable[[], float]
        """The clock of all time limits, in seconds: the running loop's unless another was passed in."""
        self.context: ExchangeContext
        self.draining = False
        """Whether responses announce the end of their connections."""
        self.detached_count: Callable[[], int] = lambda: 0
        """How many requests are being served whose connection may be closed; they are drained too."""
        self.accepted_count = 0
        """Connections since the start."""

    @property
    def connection_count(self) -> int:
        """Open client connections, unfinished TLS handshakes included."""
        return len(self._connections) + len(self._handshakes)

    @property
    def busy_count(self) -> int:
        """Connections on which a request has begun."""
        return sum(not connection.is_idle for connection in self._connections)

    def make_protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> RelayProtocol:
        """Return a protocol for one connection. uvicorn calls this in place of its own protocol class."""
        return RelayProtocol(self, config, server_state, app_state, _loop)

    def invalidate_head_caches(self) -> None:
        """The admission policy has changed: every head has to be admitted anew."""
        for connection in list(self._connections):
            connection.admission_changed()

    # Start and stop

    def open(self) -> None:
        """Start. Must be called on the running loop, before the first connection."""
        loop = asyncio.get_running_loop()
        self.now = self._clock or loop.time
        self.context = ExchangeContext(
            now=self.now,
            admission=self.admission,
            spawn=self._spawn,
            observer=self._observer,
            observes_all=self._observes_all,
            body_limit=self.limits.body_bytes,
            body_budget=BodyBufferBudget(
                max(self.limits.buffered_bytes, self.limits.body_bytes), 2 * self.limits.body_bytes, self.now
            ),
        )
        self._check_timeouts_again(loop)

    def close(self) -> None:
        """Stop, and abort every connection that is still open."""
        if self._timeout_timer is not None:
            self._timeout_timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._abort_handshakes()
        for connection in [*self._connections, *self._rejected]:
            connection.transport.abort()
        for upstream in self.upstreams:
            upstream.pool.close()

    def begin_drain(self) -> None:
        """From here on each head announces the end of its connection."""
        self.draining = True
        for connection in [*self._connections, *self._rejected]:
            connection.shutdown()

    async def closed_within(self, seconds: float, is_given_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all connections are closed and detached requests served.

        False: ``seconds`` have passed before, or ``is_given_up``.
        """
        until = self.now() + seconds
        while self.connection_count or self.detached_count():
            if self.now() >= until or is_given_up():
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _abort_handshakes(self) -> None:
        for abort in list(self._handshakes.values()):
            abort()

    def close_idle_connections(self) -> None:
        """Close the connections on which no request has begun, while draining."""
        self._abort_handshakes()
        for connection in list(self._connections):
            connection.close_if_idle()

    def stop_all(self, error: GatewayError) -> None:
        """End every exchange with ``error``, once the drain limit is over."""
        for connection in list(self._connections):
            connection.stop(error)

    def _check_timeouts_again(self, loop: asyncio.AbstractEventLoop) -> None:
        shortest = min(
            self.limits.head_seconds,
            self.limits.body_idle_seconds,
            self.limits.keep_alive_seconds,
            *(upstream.limits.shortest() for upstream in self.upstreams),
        )
        every = min(max(shortest / 8, 0.02), 1.0)
        self._timeout_timer = loop.call_later(every, self._check_timeouts_again, loop)
        self.check_timeouts()

    def check_timeouts(self) -> None:
        """End every connection and exchange whose time has run out."""
        now = self.now()
        for connection in [*self._connections, *self._rejected]:
            connection.check_timeouts(now)
        self._bound_sockets()
        self.context.body_budget.check_timeouts(now)
        for upstream in self.upstreams:
            upstream.pool.close_expired(now)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Callbacks of listeners and connections

    def handshake_started(self, protocol: RelayProtocol, abort: Callable[[], object]) -> None:
        """A TLS connection was accepted. It counts like one that has sent nothing yet."""
        self.accepted_count += 1
        self._handshakes[protocol] = abort
        self._unauthenticated[protocol] = None
        too_many = self.connection_count > self.limits.connections + REJECTED_CONNECTIONS
        if too_many or len(self._unauthenticated) > self.limits.unauthenticated:
            self._evict()

    def handshake_ended(self, protocol: RelayProtocol) -> None:
        """A TLS handshake failed, or was reported by `connection_opened` already."""
        if self._handshakes.pop(protocol, None) is not None:
            self._unauthenticated.pop(protocol, None)

    def connection_opened(self, connection: RelayProtocol) -> None:
        """A client has connected. The oldest unauthenticated connection makes room where there is none."""
        if self._handshakes.pop(connection, None) is None:
            self.accepted_count += 1
        self._unauthenticated.pop(connection, None)
        limit = self.limits.connections
        if self.connection_count - len(self._unauthenticated) >= limit:
            self._reject(connection)
            return
        while self.connection_count >= limit:
            self._evict()
        self._connections[connection] = None
        self._unauthenticated[connection] = None
        if len(self._unauthenticated) > self.limits.unauthenticated:
            self._evict()

    def _evict(self) -> None:
        """Abort the oldest unauthenticated connection."""
        oldest = next(iter(self._unauthenticated))
        del self._unauthenticated[oldest]
        self._connections.pop(oldest, None)
        abort = self._handshakes.pop(oldest, None)
        if abort is None:
            oldest.transport.abort()
        else:
            abort()

    def _reject(self, connection: RelayProtocol) -> None:
        limit = self.limits.connections
        connection.on_request_error(
            Overloaded(f"{limit} connections are open, the most there may be; try again", retry_after=1)
        )
        if len(self._rejected) < REJECTED_CONNECTIONS:
            self._rejected[connection] = None
        else:
            connection.transport.close()

    def authenticated(self, connection: _Connection) -> None:
        """The first request of this connection was admitted, or the client of a WebSocket has shown who it is."""
        self._unauthenticated.pop(connection, None)

    def connection_closed(self, connection: _Connection) -> None:
        """The client's connection is closed."""
        self._connections.pop(connection, None)
        self._rejected.pop(connection, None)
        self._unauthenticated.pop(connection, None)

    # WebSockets

    def check_room(self, upgrade: AdmittedSocket) -> None:
        """Raises `GatewayUnavailable` while draining, `ConcurrencyLimitExceeded` for too many of one address."""
        if self.draining:
            raise process_stops()
        key = client_key(upgrade.peer)
        waiting = sum(connection.socket_key == key for connection in self._unauthenticated)
        if waiting >= UNAUTHENTICATED_SOCKETS:
            raise ConcurrencyLimitExceeded(
                f"{waiting} WebSockets of this address have not been authenticated yet, the most there may be; "
                "try again",
                retry_after=int(AUTHENTICATION_SECONDS),
            )

    def _bound_sockets(self) -> None:
        """Abort those that hold most, where all WebSockets hold more than they may together."""
        held = {connection: size for connection in self._connections if (size := connection.held_bytes)}
        while sum(held.values()) > self.limits.buffered_bytes:
            largest = max(held, key=held.__getitem__)
            logger.warning("websocket dropped held_bytes=%d", held.pop(largest))
            largest.transport.abort()

    def become_socket(
        self, connection: RelayProtocol, upgrade: AdmittedSocket, unread: PipelineBuffer | None
    ) -> None:
        """Make a WebSocket of ``connection``. It counts as one that has shown nothing yet, whatever it was before."""
        assert self._make_socket is not None, "admission.socket_paths without make_socket"
        self.connection_closed(connection)
        socket = self._make_socket(self, upgrade)
        self._connections[socket] = self._unauthenticated[socket] = None
        socket.start(connection.transport, connection.connections, unread)
        if len(self._unauthenticated) > self.limits.unauthenticated:
            self._evict()
