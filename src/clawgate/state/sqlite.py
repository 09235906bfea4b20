"""Runs transactions on a SQLite file: one writer thread, a few readers, one hop between loop and thread for each.

Law: a transaction that returned is on the disk (WAL, synchronous=FULL). A file that is no usable database is renamed,
never deleted, and only if it is a database's by its name or its content and no process has it open.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from clawgate.errors import StoreUnavailable
from clawgate.settings.private_folder import make_private_folder
from clawgate.state import migrate
from clawgate.state.locks import SharedLocks

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("clawgate.state")

BUSY_SECONDS = 5.0
"""How long a transaction waits for another process that writes."""
QUEUE_SECONDS = 10.0
"""How long a transaction waits for those of this process before it."""
READERS = 3
WAL_BYTES = 16 * 1024 * 1024
"""What is left of a WAL file that grew larger."""
CHECKED_BYTES = 64 * 1024 * 1024
"""Files up to this size are checked as a whole when they are opened; that takes about 0.1 s."""

_MAGIC = b"SQLite format 3\0"
_SUFFIXES = {".db", ".sqlite", ".sqlite3"}
_SIDE_FILES = ("", "-wal", "-shm")
_SHARED_LOCK = 0x40000002, 510
"""The bytes that SQLite locks in an open file (https://sqlite.org/fileformat2.html, the lock-byte page)."""


class Unusable(Exception):
    """The file is no database, or a damaged one."""


class SqliteDatabase:
    """Transactions on the file at ``path``; made by `open_sqlite`."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.name = str(path)
        self.locks: SharedLocks | None = None
        self.owner = secrets.randbits(62)
        self._path = path
        self._engine = engine
        self._closed = False
        self._foreign = threading.Lock()  # held by a transaction in a thread of another database
        self._reading = engine.execution_options(begin="")
        self._writing = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._writer = ThreadPoolExecutor(1, "state-writer")
        self._readers = ThreadPoolExecutor(READERS, "state-reader")

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(
            self._readers, self._reading, lambda connection: work(connection, *args, **kwargs)
        )

    async def long_read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(
            self._readers, self._engine, lambda connection: work(connection, *args, **kwargs)
        )

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(
            self._writer, self._writing, lambda connection: work(connection, *args, **kwargs)
        )

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin a transaction in this thread; no other process writes in the meantime."""
        with self._foreign, self._writing.begin() as connection:
            yield connection

    write_one = long_write = write

    async def close(self) -> None:
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(None, self.discard)

    def discard(self) -> None:
        """Wait for what is under way, and close the file. Blocks."""
        self._writer.shutdown()
        self._readers.shutdown()
        with self._foreign:
            self._engine.dispose()

    async def _run(self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
        began_at = time.monotonic()
        if self._closed:
            raise StoreUnavailable(f"state database {self.name}: it is closed; retry")

        def transaction() -> T:
            if time.monotonic() - began_at > QUEUE_SECONDS:
                raise StoreUnavailable(f"state database {self.name}: too many requests wait for it; retry")
            with engine.begin() as connection:
                return work(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(threads, transaction)
        except DBAPIError as error:
            raise unavailable(self.name, error) from error


def unavailable(name: str, error: DBAPIError) -> StoreUnavailable:
    reason = str(error.orig)
    fix = "check that the file can be written and its disk has space"
    if "locked" in reason:
        reason, fix = f"another process held it locked for {BUSY_SECONDS:g} s", "end that process, or retry"
    elif "malformed" in reason or "not a database" in reason:
        fix = "restart the gateway, which moves a damaged file away; then restore a backup"
    return StoreUnavailable(f"state database {name}: {reason}; {fix}")


def open_sqlite(path: Path, *, may_quarantine: bool = True, may_migrate: bool = True) -> SqliteDatabase:
    """Open the file, which is created or migrated if it has to be. Blocks for up to a few seconds.

    ``may_migrate`` false opens a file as it is, and changes nothing. Raises StoreUnavailable if it cannot be used.
    """
    try:
        return _open(path, may_migrate)
    except Unusable as error:
        if not may_quarantine:
            raise StoreUnavailable(
                f"state database {path}: it is unusable: {error}; restore a backup, or move the file away"
            ) from error
        moved = _quarantine(path, str(error))
        logger.warning("state database unusable file=%s error=%s moved_to=%s", path, error, moved)
    return _open(path, may_migrate)


def _open(path: Path, may_migrate: bool) -> SqliteDatabase:
    try:
        if may_migrate:
            _make_private(path)
        with path.open("rb") as file:
            # Before SQLite sees it: it deletes a WAL whose database it cannot read.
            if file.read(len(_MAGIC)) not in (_MAGIC, b""):
                raise Unusable("file is not a database")
    except OSError as error:
        raise StoreUnavailable(
            f"state database {path}: it cannot be opened: {error.strerror}; "
            "make its folder writable for this user, or name another file"
        ) from error
    engine = _engine(path)
    try:
        _prepare(path, engine, may_migrate)
    except DBAPIError as error:
        engine.dispose()
        if isinstance(error.orig, sqlite3.OperationalError) and "malformed" not in str(error.orig):
            raise unavailable(str(path), error) from error
        raise Unusable(str(error.orig)) from error
    except BaseException:
        engine.dispose()
        raise
    return SqliteDatabase(path, engine)


def _make_private(path: Path) -> None:
    """Create the file if there is none, and leave it to its owner alone. SQLite gives its mode to -wal and -shm."""
    make_private_folder(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no regular file")
        if status.st_mode & 0o077:
            os.fchmod(fd, 0o600)
    finally:
        os.close(fd)
    for suffix in _SIDE_FILES[1:]:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").chmod(0o600)


def _prepare(path: Path, engine: Engine, may_migrate: bool) -> None:
    with engine.connect() as connection:
        _check(connection, path)
        if not may_migrate:
            return
        usable = migrate.is_usable(migrate.version_of(connection), str(path))
        migrate.require_own(connection, str(path))
    _set_wal(engine, path)
    if not usable:
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            migrate.upgrade(connection, str(path))


def _check(connection: Connection, path: Path) -> None:
    if path.stat().st_size <= CHECKED_BYTES:
        first = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if first != "ok":
            raise Unusable(" ".join(str(first).split()))


def _engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS + 1, max_overflow=0
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("begin", "BEGIN"):
            connection.exec_driver_sql(statement)

    return engine


def _set_wal(engine: Engine, path: Path) -> None:
    """SQLite does not wait for a lock here, so this does: several processes may open a new file at once."""
    until = time.monotonic() + BUSY_SECONDS
    connection = engine.raw_connection()
    try:
        while True:
            try:
                cursor = connection.cursor()
                cursor.execute("PRAGMA journal_mode=WAL")
                if cursor.fetchone() == ("wal",):
                    return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise StoreUnavailable(f"state database {path}: {error}; retry") from error
            else:
                raise StoreUnavailable(
                    f"state database {path}: its file system does not support WAL; name another place"
                )
            time.sleep(0.02)
    finally:
        connection.close()


def _quarantine(path: Path, reason: str) -> Path:
    """Rename the file and what belongs to it, and return its new name."""
    with path.open("r+b") as file:
        if not (file.read(len(_MAGIC)) == _MAGIC or path.suffix in _SUFFIXES):
            raise StoreUnavailable(
                f"state database {path}: it is not a database; name another file, or move this one away"
            )
        length = _SHARED_LOCK[1]
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, _SHARED_LOCK[0])
        except OSError:
            raise StoreUnavailable(
                f"state database {path}: it is unusable ({reason}), and another process has it open; "
                "end that process"
            ) from None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        to = Path(f"{path}.unusable-{stamp}")
        number = 1
        while to.exists():
            number += 1
            to = Path(f"{path}.unusable-{stamp}-{number}")
        for suffix in reversed(_SIDE_FILES):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{to}{suffix}")
    return to
