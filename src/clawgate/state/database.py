"""Opens the database of a URL or path, and defines what a database does: transactions, off the event loop.

Work is a function over a synchronous SQLAlchemy connection, the same for SQLite and PostgreSQL, and a transaction is
one call: it is committed when the function returns, and rolled back when it raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from clawgate.errors import StoreUnavailable
from clawgate.state.locks import SharedLocks
from clawgate.state.sqlite import SqliteDatabase, open_sqlite

_POSTGRES = {"postgresql", "postgres", "postgresql+asyncpg"}

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Every method raises StoreUnavailable, within a bounded time, if the database cannot be used now."""

    @property
    def name(self) -> str:
        """For messages; without a password."""

    @property
    def locks(self) -> SharedLocks | None:
        """Where several gateways may use it."""

    @property
    def owner(self) -> int:
        """Stands for this process in rows that are in progress."""

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work``, of which each statement sees the database as it is then."""

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    async def write_one(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, for work that is one statement on PostgreSQL, which needs no BEGIN and COMMIT around it."""

    async def long_read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `read`, at one state of the database and without a time limit for the whole."""

    async def long_write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, without a time limit for the whole."""

    async def close(self) -> None: ...


async def open_database(
    url: str | Path, *, may_quarantine: bool = True, may_migrate: bool = True
) -> Database:
    """Open what ``url`` names, a path, ``sqlite:///<path>`` or ``postgresql://…``, and migrate it if it is behind."""
    path = sqlite_path(url)
    if path is not None:
        return await _open_in_thread(path, may_quarantine=may_quarantine, may_migrate=may_migrate)
    if str(url).partition("://")[0] in _POSTGRES:
        from clawgate.state.postgres import open_postgres

        return await open_postgres(str(url), may_migrate=may_migrate)
    raise StoreUnavailable(
        "state database: its URL is none that is known; use a path, or sqlite:///<path>, or "
        "postgresql://<user>:<password>@<host>/<database>"
    )


async def _open_in_thread(path: Path, *, may_quarantine: bool, may_migrate: bool) -> SqliteDatabase:
    """Open it; what is open only after the caller was cancelled is closed again."""
    work = partial(open_sqlite, path, may_quarantine=may_quarantine, may_migrate=may_migrate)
    opening = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_discard)
        raise


def _discard(opening: asyncio.Future[SqliteDatabase]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().discard()


def sqlite_path(url: str | Path) -> Path | None:
    """Return the path of a SQLite database, None if ``url`` is another database's."""
    if isinstance(url, Path):
        return url
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url).expanduser()
    return Path(rest.removeprefix("/")).expanduser() if scheme == "sqlite" and len(rest) > 1 else None
