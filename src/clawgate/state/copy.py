"""Copies the state from one database to another, in one transaction, and reads every row back before it counts.

One of the two is a SQLite file: a copy moves it to PostgreSQL, a backup is a new file of either.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Result, Table, Text, collate, insert, select

from clawgate.state import migrate
from clawgate.state.database import Database
from clawgate.state.sqlite import open_sqlite
from clawgate.state.tables import metadata

ROWS_AT_ONCE = 100

OnProgress = Callable[[], None]
"""Called every few rows."""


class NotCopied(Exception):
    """The target is as it was; the text says why and what to do."""


async def copy_from_file(path: Path, target: Database, on_progress: OnProgress) -> dict[str, int]:
    """Copy a SQLite file into an empty database; return the rows of each table. Raises NotCopied, StoreUnavailable."""
    source = open_sqlite(path, may_quarantine=False)
    try:
        with _until_cancelled(on_progress) as progress:

            def work(connection: Connection) -> dict[str, int]:
                with source.begin() as read:
                    return copy_rows(read, connection, progress)

            return await target.long_write(work)
    finally:
        await source.close()


async def back_up(source: Database, path: Path, on_progress: OnProgress) -> dict[str, int]:
    """Copy a database to a new file, which appears when it is complete. Raises NotCopied, StoreUnavailable, OSError."""
    with _new_file(path) as new:
        target = open_sqlite(new)
        try:
            with _until_cancelled(on_progress) as progress:

                def work(connection: Connection) -> dict[str, int]:
                    with target.begin() as write:
                        return copy_rows(connection, write, progress)

                return await source.long_read(work)
        finally:
            await target.close()


@contextlib.contextmanager
def _until_cancelled(on_progress: OnProgress) -> Iterator[OnProgress]:
    """Yield what stops a copy in its thread, and so takes it back, once the task that waits for it was cancelled."""
    is_cancelled = False

    def progress() -> None:
        if is_cancelled:
            raise NotCopied("the copy was interrupted; nothing was kept of it")
        on_progress()

    try:
        yield progress
    except asyncio.CancelledError:
        is_cancelled = True
        raise


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Yield where to write; the file appears at ``path`` when the context ends without an error."""
    if path.exists() or path.is_symlink():
        raise NotCopied(f"{path}: there is such a file already; name another one, or remove it")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        new = Path(folder) / "state.db"
        yield new
        new.rename(path)


def copy_rows(source: Connection, target: Connection, on_progress: OnProgress) -> dict[str, int]:
    for connection, which in ((source, "to be copied"), (target, "to copy to")):
        if (version := migrate.version_of(connection)) != migrate.HEAD:
            raise NotCopied(
                f"the database {which} has schema {version}, not {migrate.HEAD}; run: clawgate state migrate"
            )
    tables = metadata.sorted_tables
    if filled := [table.name for table in tables if target.execute(select(table).limit(1)).first()]:
        raise NotCopied(
            f"the database to copy to is not empty: it has rows in {', '.join(filled)}; name an empty one"
        )
    copied = {}
    for table in tables:
        copied[table.name] = 0
        for rows in _rows(source, table).partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row._mapping) for row in rows])
            copied[table.name] += len(rows)
            on_progress()
    for table in tables:
        for number, (old, new) in enumerate(zip_longest(_rows(source, table), _rows(target, table)), 1):
            if old != new:
                raise NotCopied(f"row {number} of {table.name} differs in the copy; nothing was kept of it")
            if number % ROWS_AT_ONCE == 0:
                on_progress()
    return copied


def _rows(connection: Connection, table: Table) -> Result[Any]:
    """Every row, by primary key, in an order that is the same on both kinds."""
    keys: list[ColumnElement[Any]] = [
        collate(column, "C")
        if isinstance(column.type, Text) and connection.dialect.name != "sqlite"
        else column
        for column in table.primary_key
    ]
    return connection.execute(select(table).order_by(*keys), execution_options={"yield_per": ROWS_AT_ONCE})
