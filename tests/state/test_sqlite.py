from __future__ import annotations

import logging
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from clawgate.errors import StoreUnavailable
from clawgate.state import migrate, sqlite
from clawgate.state.store import Store, open_store
from tests.state.runs import Clock, run, said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clawgate" / "state.db"


async def written(path: Path) -> None:
    store = await open_store(path, clock=Clock())
    await store.commit(run())
    await store.close()


def files(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


async def test_the_files_are_their_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        store = await open_store(path, clock=Clock())
        await store.commit(run())
    finally:
        os.umask(before)
    assert files(path) == {"state.db", "state.db-wal", "state.db-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await store.close()


async def test_a_file_that_others_can_read_is_closed_to_them(path: Path) -> None:
    await written(path)
    path.chmod(0o644)
    await (await open_store(path, clock=Clock())).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_was_committed_is_on_the_disk(path: Path) -> None:
    store = await open_store(path, clock=Clock())

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    for transaction in (store._database.read, store._database.write):
        assert await transaction(pragmas) == ["wal", 2, 1, 5000]
    await store.close()


async def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    await written(path)
    assert files(path) == {"state.db"}


def text(path: Path) -> None:
    path.write_text("dear diary")


def zeroes(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def header_only(path: Path) -> None:
    os.truncate(path, 100)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = os.urandom(8192)
    path.write_bytes(content)


@pytest.mark.parametrize("break_it", [text, zeroes, cut, header_only, damaged])
async def test_an_unusable_file_is_moved_away_with_what_belongs_to_it(
    path: Path, break_it: object, caplog: pytest.LogCaptureFixture
) -> None:
    await written(path)
    assert callable(break_it)
    break_it(path)
    content = path.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"unusable.*backup"):
        await open_store(path, clock=Clock(), may_quarantine=False)
    with caplog.at_level(logging.WARNING):
        store = await open_store(path, clock=Clock())
    assert await store.sessions() == []
    await store.close()
    (moved,) = path.parent.glob("state.db.unusable-*")
    assert moved.read_bytes() == content and str(moved) in caplog.text


async def test_the_wal_of_an_unusable_file_goes_with_it(path: Path) -> None:
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").write_text("x" * 5000)
    await (await open_store(path, clock=Clock())).close()
    assert len(list(path.parent.glob("state.db.unusable-*"))) == 3
    assert files(path) >= {"state.db"} and "state.db-wal" not in files(path)


async def test_a_file_that_never_was_a_database_is_not_touched(tmp_path: Path) -> None:
    """A path with a slip must not move away a file of its user."""
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(StoreUnavailable, match="not a database"):
        await open_store(path, clock=Clock())
    assert path.read_text() == "dear diary" and files(path) == {"notes.txt"}


async def test_a_newer_schema_is_refused_and_left_as_it_is(path: Path) -> None:
    await written(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE clawgate_version SET version_num = '0099_expand'")
    with pytest.raises(StoreUnavailable, match=rf"0099_expand.*{migrate.HEAD}"):
        await open_store(path, clock=Clock())
    assert files(path) == {"state.db"}


async def test_the_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cookies (name)")
    content = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="another program"):
        await open_store(path, clock=Clock())
    assert path.read_bytes() == content and files(path) == {"state.db"}


@pytest.mark.parametrize("kind", ["folder", "pipe", "no folder"])
async def test_what_is_no_file_is_refused(path: Path, kind: str) -> None:
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.parent.rmdir()
        path.parent.write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await open_store(path, clock=Clock())


async def test_a_database_that_another_process_keeps_locked_is_an_error_in_bounded_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    store = await open_store(path, clock=Clock())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"held it locked for 0.1 s.*retry"):
            await store.commit(run())
        assert await store.session("ann", "s") is None, "who reads does not wait"
        other.execute("ROLLBACK")
        await store.commit(run())
    await store.close()


async def test_transactions_behind_one_that_waits_do_not_wait_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(path, clock=Clock())
    monkeypatch.setattr(sqlite, "QUEUE_SECONDS", -1.0)
    with pytest.raises(StoreUnavailable, match="too many requests"):
        await store.commit(run())
    await store.close()


async def test_a_closed_store_is_unavailable(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.check()


async def test_the_wal_does_not_grow_without_bound(path: Path) -> None:
    store = await open_store(path, clock=Clock())
    for number in range(24):
        await store.commit(run(f"r{number}", session=f"s{number}", turns=said("x" * 1_000_000)))
    assert Path(f"{path}-wal").stat().st_size < 20 * 1024 * 1024
    await store.close()
