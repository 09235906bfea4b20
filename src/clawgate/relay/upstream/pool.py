"""Which connection does a request to this upstream use? Keeps finished ones for the next request.

One pool per upstream and credential: a connection never serves two credentials.
"""

from __future__ import annotations

from clawgate.errors import UpstreamUnreachable
from clawgate.relay.upstream.connection import UpstreamConnection
from clawgate.relay.upstream.dial import Dialer, UpstreamEndpoint
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache

IDLE_SECONDS = 50.0
"""Below the keep-alive of usual servers (nginx 75 s, Node 5 s is caught by `is_stale`), so that we close first."""


class Pool:
    """Idle connections, the most recently used first, so that the surplus ages and is closed."""

    def __init__(
        self, dialer: Dialer, route: UpstreamEndpoint, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.origin = route.origin
        self.response_heads = ResponseHeadCache()
        self._dialer = dialer
        self._route = route
        self._idle_seconds = idle_seconds
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._retired = False

    def __repr__(self) -> str:
        return f"<Pool {self.origin} open={len(self._open)} idle={len(self._idle)}>"

    @property
    def open_count(self) -> int:
        """Connections that exist, idle or in use."""
        return len(self._open)

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    def acquire(self) -> UpstreamConnection | None:
        """An idle connection that is still good; None when one has to be dialled."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale():
                connection.reused = True
                return connection
            connection.transport.abort()
        return None

    async def dial(self) -> UpstreamConnection:
        """A new connection; errors as `Dialer.open`. The caller owns the connect limit."""
        made: list[UpstreamConnection] = []

        def make() -> UpstreamConnection:
            made.append(UpstreamConnection(self))
            return made[-1]

        try:
            connection = await self._dialer.open(make, self._route)
            if connection.transport.is_closing():  # its end was reported before there was a request to fail
                raise UpstreamUnreachable(f"{self.origin} closed the connection at once", retry_after=1)
            return connection
        except BaseException:
            # Cancelled in the moment of success: the loop may connect one after this, or close one without a word.
            for connection in made:
                connection.cancelled = True
                if connection in self._open:
                    connection.transport.abort()
                    self.remove(connection)
            raise

    def add(self, connection: UpstreamConnection) -> None:
        """The connection is open."""
        self._open.add(connection)

    def release(self, connection: UpstreamConnection, now: float) -> None:
        """Keep ``connection`` for the next request if its last answer allows that, else end it."""
        if connection.reusable and not self._retired:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.transport.abort()

    def remove(self, connection: UpstreamConnection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close_expired(self, now: float) -> None:
        """Close what has been idle for too long."""
        while self._idle and now - self._idle[0].idle_since >= self._idle_seconds:
            self._idle.pop(0).transport.close()

    def retire(self) -> None:
        """No further request comes: what is idle is closed now, the rest once its answer is out."""
        self._retired = True
        while self._idle:
            self._idle.pop().transport.close()

    def close(self) -> None:
        """End every connection, in use or not."""
        self._idle.clear()
        for connection in list(self._open):
            connection.transport.abort()
