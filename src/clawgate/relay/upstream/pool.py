"""Pools the connections to one upstream: keeps idle ones, and bounds how many there are.

One pool per upstream and credential: a connection never serves two credentials. Past the bound, requests wait in their
order; a connection that becomes idle, or the place of one that ended, goes to the first of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawgate.errors import UpstreamPoolExhausted, UpstreamUnreachable
from clawgate.relay.interfaces import ConnectionWaiter
from clawgate.relay.upstream.connection import UpstreamConnection
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache

IDLE_SECONDS = 50.0
"""Below the keep-alive of usual servers (nginx 75 s, Node 5 s is caught by `is_stale`), so that we close first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How many connections there may be, and how long a request waits for one.

    ``setting`` is the flag or key that raises the first, for messages.
    """

    max_connections: int = 1000
    wait_seconds: float = 10.0
    setting: str = ""


class Pool:
    """Idle connections are used most recent first, so that the surplus ages and is closed."""

    def __init__(
        self, dialer: Dialer, endpoint: UpstreamEndpoint, limits: PoolLimits, secrets: tuple[bytes, ...] = ()
    ) -> None:
        self.origin = endpoint.origin
        self.limits = limits
        self.response_heads = ResponseHeadCache(secrets)
        self._dialer = dialer
        self._endpoint = endpoint
        self._idle_seconds = IDLE_SECONDS
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._queue: dict[ConnectionRequest, None] = {}  # in order
        self._turns: deque[UpstreamConnection] = deque()
        self._dialing = 0
        self._wake_scheduled = False
        self._retired = False

    def __repr__(self) -> str:
        counts = f"open={len(self._open)} idle={len(self._idle)} waiting={len(self._queue)}"
        return f"<Pool {self.origin} {counts}>"

    @property
    def open_count(self) -> int:
        """Connections that exist, idle or in use."""
        return len(self._open)

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def busy_count(self) -> int:
        """Connections that serve a request, and those that are opened for one."""
        return len(self._open) - len(self._idle) + self._dialing

    def acquire(self) -> UpstreamConnection | None:
        """Return an idle connection that is still good, or None if one must be requested."""
        return None if self._queue else self._pop_idle()  # those that wait came first

    def _pop_idle(self) -> UpstreamConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale():
                connection.reused = True
                return connection
            connection.transport.abort()
        return None

    def request(
        self,
        waiter: ConnectionWaiter,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        now: Callable[[], float],
        target: str = "",
    ) -> ConnectionRequest:
        """Get ``waiter`` a connection: a new one, or past the bound the first that becomes free."""
        request = ConnectionRequest(self, waiter, spawn, now, target)
        if self._has_room and not self._queue:
            request.dial()
        else:
            self._queue[request] = None
        return request

    @property
    def _has_room(self) -> bool:
        return len(self._open) + self._dialing < self.limits.max_connections

    async def dial(self, target: str = "") -> UpstreamConnection:
        """Return a new connection for a request to ``target``, whatever the bound. The caller owns the connect limit.

        Raises as `Dialer.open`.
        """
        made: list[UpstreamConnection] = []

        def make() -> UpstreamConnection:
            made.append(UpstreamConnection(self))
            return made[-1]

        try:
            connection = await self._dialer.open(make, self._endpoint, target)
            if connection.transport.is_closing():  # its end was reported before there was a request to fail
                raise UpstreamUnreachable(f"{self.origin} closed the connection at once", retry_after=1)
            return connection
        except BaseException:
            # Cancelled in the moment of success: the loop may connect one after this, or close one without a call.
            for connection in made:
                connection.cancelled = True
                if connection in self._open:
                    connection.transport.abort()
                    self.remove(connection)
            raise

    def add(self, connection: UpstreamConnection) -> None:
        self._open.add(connection)

    def release(self, connection: UpstreamConnection, now: float) -> None:
        """Keep ``connection`` for the next request if its last response allows that, else end it."""
        if connection.reusable and not self._retired:
            connection.idle_since = now
            self._idle.append(connection)
            if self._queue:
                self._schedule_wake()
        else:
            connection.transport.abort()

    def remove(self, connection: UpstreamConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._schedule_wake()

    def schedule_turn(self, connection: UpstreamConnection) -> None:
        """Let ``connection`` handle what it has read, one connection of this upstream in each turn of the loop.

        So that many streams of a hostile upstream take no more of the loop than one.
        """
        self._turns.append(connection)
        if len(self._turns) == 1:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        connection = self._turns.popleft()
        if self._turns:
            asyncio.get_running_loop().call_soon(self._next_turn)
        connection.take_turn()

    def _dial_ended(self) -> None:
        self._dialing -= 1
        self._schedule_wake()

    def _schedule_wake(self) -> None:
        """Serve who waits, in a turn of its own: this may be called in the middle of another exchange's callback."""
        if self._queue and not self._wake_scheduled:
            self._wake_scheduled = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._wake_scheduled = False
        while self._queue:
            connection = self._pop_idle()
            if connection is None and not self._has_room:
                return
            request = next(iter(self._queue))
            del self._queue[request]
            if connection is None:
                request.dial()
            else:
                request.waiter.on_connection(connection)

    def close_expired(self, now: float) -> None:
        """Close what has been idle for too long."""
        while self._idle and now - self._idle[0].idle_since >= self._idle_seconds:
            self._idle.pop(0).transport.close()

    def retire(self) -> None:
        """No further request comes: idle connections are closed now, the others behind their responses."""
        self._retired = True
        while self._idle:
            self._idle.pop().transport.close()

    def close(self) -> None:
        """End every connection, in use or not."""
        self._idle.clear()
        for connection in list(self._open):
            connection.transport.abort()


class ConnectionRequest:
    """One request for a connection, from `Pool.request` until its waiter is called or it is cancelled."""

    __slots__ = ("_now", "_pool", "_spawn", "_target", "_task", "dial_started_at", "requested_at", "waiter")

    def __init__(
        self,
        pool: Pool,
        waiter: ConnectionWaiter,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        now: Callable[[], float],
        target: str,
    ) -> None:
        self.waiter = waiter
        self._target = target
        self.requested_at = now()
        self.dial_started_at: float | None = None
        """When the dial began; None while the request waits."""
        self._pool = pool
        self._spawn = spawn
        self._now = now
        self._task: asyncio.Task[None] | None = None

    def dial(self) -> None:
        """Open a connection for this request. Called by the pool."""
        self._pool._dialing += 1
        self.dial_started_at = self._now()
        self._task = self._spawn(self._dial())

    async def _dial(self) -> None:
        try:
            connection = await self._pool.dial(self._target)
        except Exception as error:  # noqa: BLE001  # the waiter has a client that must get a response
            self._end_dial()
            self.waiter.on_connect_failed(error)
        else:
            self._end_dial()
            self.waiter.on_connection(connection)

    def _end_dial(self) -> None:
        self._task = None
        self._pool._dial_ended()

    def cancel(self) -> None:
        """Give up: the waiter is not called any more, and what it would have got goes to the next one."""
        self._pool._queue.pop(self, None)
        if self._task is not None:
            self._task.cancel()
            self._end_dial()

    def expired(self, now: float) -> UpstreamPoolExhausted | None:
        """Return the error of a request that has waited for too long; None for one that has not, or does not wait."""
        limits = self._pool.limits
        if self.dial_started_at is not None or now - self.requested_at < limits.wait_seconds:
            return None
        advice = f"; raise {limits.setting} if the upstream can take more" if limits.setting else ""
        return UpstreamPoolExhausted(
            f"{self._pool.origin}: all {limits.max_connections} connections were in use for {limits.wait_seconds:g} s"
            f"{advice}",
            retry_after=1,
        )
