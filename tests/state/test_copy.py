from __future__ import annotations

import asyncio
import stat
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from sqlalchemy import Connection, Table

from clawgate.state import copy
from clawgate.state.copy import NotCopied, back_up, copy_from_file
from clawgate.state.migrate import HEAD
from clawgate.state.overview import overview
from clawgate.state.records import IdempotencyResult, NewTurn
from clawgate.state.store import Store, open_store
from clawgate.state.tables import usage
from tests.state.runs import Clock, run, said
from tests.state.test_approvals import waiting
from tests.state.test_egress import row
from tests.state.test_responses import stored
from tests.state.test_sessions import CALL
from tests.state.test_usage import used

KEYS = ["a", "B", "ä", "Z", "~", "a b", "\U0001f980", "aa", "A"]
"""In an order that differs between collations."""


def nothing() -> None: ...


async def fill(store: Store) -> None:
    for number, key in enumerate(KEYS):
        turns = (
            *said(f"text {number}"),
            NewTurn(message={"content": "\0\ud800é", "n": 0.1}, status="interrupted"),
        )
        await store.begin_idempotent("ann", key, "hash", f"r{number}")
        result = IdempotencyResult(key=key, status=200, content_type="t", body=bytes(range(256)))
        await store.commit(
            run(
                f"r{number}",
                session=key,
                turns=turns,
                tool_calls=(CALL,),
                usage=(used("0.1"), used(None)),
                started_at=0.1 + number,
                finished_at=0.2 + number,
                idempotency=result,
            )
        )
    await store.begin_idempotent("ann", "in progress", "hash", "r-open")
    await store.commit(stored("z-first", "\0"))
    await store.save_connections([row("b"), row("a", closed_at=0.1, bytes_sent=2**40)])
    await store.commit(stored("a-second", "\ud800", parent="z-first"))
    await store.commit(run("r-waits", session="waits", turns=(), keeps_session=False, approvals=(waiting(),)))


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.db"
    store = await open_store(path, clock=Clock())
    await fill(store)
    await store.close()
    return path


async def test_a_file_is_copied_with_every_row(
    source: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "ROWS_AT_ONCE", 4)
    copied = await copy_from_file(source, store._database, nothing)
    assert copied == {
        "sessions": 9, "turns": 18, "requests": 12, "tool_calls": 9, "usage": 18, "idempotency": 10, "responses": 2,
            "egress": 2, "approvals": 1,
    }  # fmt: skip
    for number, key in enumerate(KEYS):
        session = await store.session("ann", key)
        assert session is not None and session.turns[1].message == {"content": "\0\ud800é", "n": 0.1}
        assert session.created_at == 0.1 + number and session.turns[1].status == "interrupted"
    (row,) = await store.usage("agent")
    assert (row.cost, row.unpriced_calls) == (Decimal("0.9"), 9)


async def test_a_database_that_is_not_empty_is_not_touched(source: Path, store: Store) -> None:
    await store.commit(run("mine"))
    with pytest.raises(NotCopied, match=r"not empty: .*sessions"):
        await copy_from_file(source, store._database, nothing)
    assert [one.key for one in await store.sessions()] == ["s"]


async def test_a_copy_that_differs_is_taken_back(
    source: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a driver had another idea of a type: each pass over the table reads other rows."""
    read, passes = copy._rows, iter(range(99))

    def changed(connection: Connection, table: Table) -> Any:
        rows = read(connection, table)
        return [(next(passes), *row) for row in rows] if table is usage and next(passes) else rows

    monkeypatch.setattr(copy, "_rows", changed)
    with pytest.raises(NotCopied, match="row 1 of usage differs"):
        await copy_from_file(source, store._database, nothing)
    monkeypatch.undo()
    assert await store.sessions() == []
    await copy_from_file(source, store._database, nothing)


async def test_an_interrupted_copy_leaves_nothing(source: Path, store: Store) -> None:
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise NotCopied

    with pytest.raises(NotCopied):
        await copy_from_file(source, store._database, stop)
    assert await store.sessions() == []
    await copy_from_file(source, store._database, nothing)


async def test_a_copy_whose_command_is_interrupted_is_taken_back(source: Path, tmp_path: Path) -> None:
    """Ctrl-C cancels the task that waits; the thread that copies must not finish its work."""
    target = await open_store(tmp_path / "target.db", clock=Clock())
    copying, cancelled = threading.Event(), threading.Event()

    def hold() -> None:
        copying.set()
        cancelled.wait(60)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(copy_from_file(source, target._database, hold))
        await asyncio.to_thread(copying.wait)
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancelled.set()
    assert task.cancelled() and await target.sessions() == []
    await target.commit(run())  # it was the writer's turn after it
    assert [one.key for one in await target.sessions()] == ["s"]
    await target.close()


async def test_a_backup_is_a_private_file_that_can_be_used(store: Store, tmp_path: Path) -> None:
    await fill(store)
    path = tmp_path / "backup.db"
    copied = await back_up(store._database, path, nothing)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == ["backup.db"]
    backed_up = await open_store(path, clock=Clock())
    found = await backed_up._database.read(overview, check=True)
    assert found.rows == copied and found.integrity == "ok"
    assert await backed_up.session("ann", KEYS[0]) == await store.session("ann", KEYS[0])
    await backed_up.close()


async def test_a_backup_replaces_no_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    path.write_text("mine")
    link = tmp_path / "link.db"
    link.symlink_to("/nowhere")
    for taken in (path, link):
        with pytest.raises(NotCopied, match="such a file already"):
            await back_up(store._database, taken, nothing)
    assert path.read_text() == "mine" and link.is_symlink()


async def test_a_backup_that_fails_leaves_no_file(store: Store, tmp_path: Path) -> None:
    await fill(store)

    def stop() -> None:
        raise NotCopied

    before = set(tmp_path.iterdir())
    with pytest.raises(NotCopied):
        await back_up(store._database, tmp_path / "backup.db", stop)
    assert set(tmp_path.iterdir()) == before


async def test_a_source_of_another_version_is_refused(source: Path, store: Store) -> None:
    newer = f"{int(HEAD[:4]) + 1:04}_expand"
    with closing(connect(source)) as connection, connection:
        connection.execute(f"UPDATE clawgate_version SET version_num = '{newer}'")
    with pytest.raises(NotCopied, match=newer):
        await copy_from_file(source, store._database, nothing)
