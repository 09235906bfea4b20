"""Holds advisory locks on one connection of their own, so that they end with this process, however it ends.

Law: no lock outlives its connection, on either side. What cannot be released for certain closes the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from clawgate.errors import StoreUnavailable
from clawgate.state.locks import Rows
from clawgate.state.records import Extent
from clawgate.state.sessions import LOCKED_SESSION, values_of

logger = logging.getLogger("clawgate.state")

CALL_SECONDS = 5.0
"""How long one statement may take, and how long a session waits for those of others before it."""
RETRY_SECONDS = 0.1
"""Between two tries at a lock that another gateway holds."""
_CHANNEL = "clawgate"
_KEEPALIVE = {"tcp_keepalives_idle": "2", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3"}
"""The server notices within 5 s that the machine of a gateway is gone, and frees its locks."""


@functools.cache
def _compiled() -> tuple[str, dict[str, object]]:
    """Return the statement for asyncpg, and its parameters in their order, with their values where it has them."""
    compiled = LOCKED_SESSION.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call] # its
    return str(compiled), {name: compiled.params[name] for name in compiled.positiontup or ()}


def _executed(executions: Iterable[Mapping[str, object]]) -> tuple[str, list[list[object]]]:
    statement, known = _compiled()
    return statement, [[values.get(name, value) for name, value in known.items()] for values in executions]


class PostgresLocks:
    """``owner`` is locked as long as the connection lives: by it other gateways see that this one does."""

    def __init__(self, name: str, connect: Callable[..., Awaitable[Any]]) -> None:
        self.owner = secrets.randbits(62)
        self._name = name
        self._connect = connect
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._held: set[int] = set()
        self._on_message: Callable[[str], None] = lambda text: None

    async def acquire(self, number: int, session: tuple[str, str, Extent] | None = None) -> Rows | None:
        """Wait until no other gateway holds ``number``; the caller sets the time limit."""
        while (rows := await self._try(number, session)) is None:  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(RETRY_SECONDS)
        return rows if session is not None else None

    async def release(self, number: int) -> None:
        """A lock that was lost with its connection is released already."""
        try:
            async with self._own_turn():
                if number in self._held:
                    self._held.discard(number)
                    await self._unlock(number)
        except (StoreUnavailable, asyncio.CancelledError) as error:
            if number in self._held:  # its turn has not come
                self._abort()
            if not isinstance(error, StoreUnavailable):
                raise

    async def announce_owner(self) -> None:
        """Make sure that the owner's lock is held. Raises StoreUnavailable."""
        async with self._own_turn():
            await self._connected()

    async def exchange(self, messages: Iterable[str], on_message: Callable[[str], None]) -> None:
        """Send ``messages`` to the other gateways, and have theirs given to ``on_message`` from now on.

        A message is lost where the database, or a gateway, cannot be reached. Raises StoreUnavailable.
        """
        self._on_message = on_message
        async with self._own_turn():
            connection = await self._connected()
            try:
                for message in messages:
                    await connection.execute(
                        "SELECT pg_notify($1, $2)", _CHANNEL, message, timeout=CALL_SECONDS
                    )
            except Exception as error:  # noqa: BLE001 - as in `_try`
                self._abort()
                raise self._unavailable(error) from None

    def _on_notification(self, connection: Any, pid: int, channel: str, message: str) -> None:
        if pid != connection.get_server_pid():
            self._on_message(message)

    async def close(self) -> None:
        async with self._turn:
            connection, self._connection = self._connection, None
            self._held.clear()
            if connection is not None:
                with contextlib.suppress(Exception):  # the server may be gone
                    await connection.close(timeout=1)

    @contextlib.asynccontextmanager
    async def _own_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise self._unavailable(error) from None
        try:
            yield
        finally:
            self._turn.release()

    async def _try(self, number: int, session: tuple[str, str, Extent] | None) -> Rows | None:
        """Return the rows of the session, None while another gateway holds ``number``."""
        executions = [{"number": number}]
        if session is not None:
            executions.append(values_of(*session))
        async with self._own_turn():
            connection = await self._connected()
            try:
                found, *rows = await connection.fetchmany(*_executed(executions), timeout=CALL_SECONDS)
            except asyncio.CancelledError:
                await self._unlock(number)  # the server may have granted it
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the connection cannot be trusted with locks
                self._abort()
                raise self._unavailable(error) from None
            if not found["is_held"]:
                return None
            self._held.add(number)
            return [tuple(row)[1:] for row in rows]

    async def _unlock(self, number: int) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.fetchval("SELECT pg_advisory_unlock($1)", number, timeout=CALL_SECONDS)
        except BaseException as error:
            self._abort()
            if not isinstance(error, Exception):
                raise

    async def _connected(self) -> Any:
        if self._connection is None:
            connection = None
            try:
                connection = await self._connect(**_KEEPALIVE)
                await connection.execute("SELECT pg_advisory_lock($1)", self.owner, timeout=CALL_SECONDS)
                await connection.add_listener(_CHANNEL, self._on_notification)
            except BaseException as error:
                if connection is not None:
                    connection.terminate()
                if not isinstance(error, Exception):
                    raise
                raise self._unavailable(error) from None
            connection.add_termination_listener(self._on_lost)
            self._connection = connection
        return self._connection

    def _on_lost(self, connection: Any) -> None:
        if connection is self._connection:
            self._connection = None
            if self._held:
                logger.warning("state locks lost count=%d database=%s", len(self._held), self._name)
            self._held.clear()

    def _abort(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.terminate()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"state database {self._name}: {str(error) or 'no response'}; check that PostgreSQL runs there",
            retry_after=5,
        )
