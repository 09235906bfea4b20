"""Runs transactions on PostgreSQL, which several gateways may share. Needs asyncpg, the extra `clawgate[postgres]`.

Law: a call ends within `CALL_SECONDS`, whatever the server does; a transaction whose connection was lost is repeated
once, so work must be repeatable. No message has a part of the URL but host, port and database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.util import greenlet_spawn

from clawgate.errors import StoreUnavailable
from clawgate.settings.extras import install_command
from clawgate.state import migrate
from clawgate.state.postgres_locks import PostgresLocks

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

P = ParamSpec("P")
T = TypeVar("T")

CALL_SECONDS = 10.0
CONNECT_SECONDS = 3.0
MAX_CONNECTIONS = 10
"""Of one gateway; the one of its locks is not counted."""
_ON_THE_SERVER = {
    "application_name": "clawgate",
    "statement_timeout": "8s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "20s",
}


class PostgresDatabase:
    """Made by `open_postgres`."""

    def __init__(self, name: str, engine: AsyncEngine, locks: PostgresLocks) -> None:
        self.name = name
        self.locks = locks
        self.owner = locks.owner
        self._engine = engine
        self._one_by_one = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._closed = False

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(self._one_by_one, lambda connection: work(connection, *args, **kwargs))

    write_one = read

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(self._engine, lambda connection: work(connection, *args, **kwargs))

    async def long_read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ")
        return await self._run(snapshot, lambda connection: work(connection, *args, **kwargs), is_long=True)

    async def long_write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(
            self._engine, lambda connection: work(connection, *args, **kwargs), is_long=True
        )

    async def close(self) -> None:
        self._closed = True
        await self.locks.close()
        await self._engine.dispose()

    async def migrate(self) -> None:
        """Bring the schema to this program's version; it may take as long as it needs."""
        if await self.read(lambda connection: migrate.is_usable(migrate.version_of(connection), self.name)):
            return
        await asyncio.to_thread(migrate.import_alembic)
        await self.long_write(migrate.upgrade, self.name)

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], T], *, is_long: bool = False) -> T:
        if self._closed:
            raise StoreUnavailable(f"state database {self.name}: it is closed; retry")
        try:
            async with asyncio.timeout(None if is_long else CALL_SECONDS):
                try:
                    return await _transaction(engine, work)
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                return await _transaction(engine, work)  # the pool has discarded the connections made before
        except _FAILURES as error:
            raise unavailable(self.name, error) from None


async def _transaction(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    def transaction() -> T:
        with engine.sync_engine.begin() as connection:
            return work(connection)

    return await greenlet_spawn(transaction)


async def open_postgres(url: str, *, may_migrate: bool = True) -> PostgresDatabase:
    """Connect, and migrate the database if it is behind.

    Raises StoreUnavailable if it cannot be reached or used.
    """
    name = name_of(url)
    try:
        await asyncio.to_thread(_import_driver)
        import asyncpg  # type: ignore[import-untyped] # it has no py.typed
        from sqlalchemy.ext.asyncio import create_async_engine
    except ImportError as error:
        raise StoreUnavailable(
            f"state database {name}: {error.name} is not installed; run: {install_command('postgres')}"
        ) from error

    async def connect(**settings: str) -> Any:
        try:
            return await asyncpg.connect(
                "postgresql://" + url.partition("://")[2],
                timeout=CONNECT_SECONDS,
                command_timeout=CALL_SECONDS,
                server_settings=_ON_THE_SERVER | settings,
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ConnectionError(str(error)) from None
        except ValueError:  # it may repeat a part of the password
            raise ConnectionError(f"its URL cannot be read; {_ENCODE}") from None

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=MAX_CONNECTIONS,
        max_overflow=0,
        pool_timeout=CALL_SECONDS,
        pool_use_lifo=True,
    )
    database = PostgresDatabase(name, engine, PostgresLocks(name, connect))
    try:
        await (database.migrate() if may_migrate else database.read(migrate.version_of))
    except BaseException:
        await database.close()
        raise
    return database


def _import_driver() -> None:
    """Takes too long for an event loop."""
    import asyncpg  # noqa: F401
    import sqlalchemy.dialects.postgresql.asyncpg
    import sqlalchemy.ext.asyncio  # noqa: F401


_ENCODE = "write special characters of the password as %XX"

_FAILURES = (DBAPIError, NoneFree, OSError)  # OSError: TimeoutError and what `connect` raises, too


def unavailable(name: str, error: Exception) -> StoreUnavailable:
    reason, fix = str(error), "check that PostgreSQL runs there and lets this user in; no restart is needed"
    if isinstance(error, DBAPIError):
        reason = str(error.orig).partition("\n")[0].rpartition(">: ")[2]
    elif isinstance(error, TimeoutError | NoneFree):
        reason = f"no response within {CALL_SECONDS:g} s"
    return StoreUnavailable(f"state database {name}: {reason}; {fix}", retry_after=RETRY_AFTER_SECONDS)


RETRY_AFTER_SECONDS = 5


def name_of(url: str) -> str:
    """Return the URL without user, password and parameters.

    Raises StoreUnavailable if it cannot be read.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"postgresql://{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        raise StoreUnavailable(f"state database: its URL cannot be read; {_ENCODE}") from None
