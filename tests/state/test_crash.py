"""What was acknowledged is there after `kill -9`, and half a run never is."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection

from clawgate.state.store import open_store
from clawgate.state.tables import requests, sessions, tool_calls, turns, usage
from tests.state import writers
from tests.state.runs import Clock

Ledger = set[tuple[str, int, str]]


def written_by(url: str | Path, *, kills: int, processes: int, commits: int) -> Ledger:
    """Return the runs that were acknowledged: session, first turn, name."""
    done = subprocess.run(
        [sys.executable, writers.__file__, str(url), str(kills), str(processes), str(commits)],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    return {(session, int(seq), run) for session, seq, run in lines}


def check(connection: Connection, ledger: Ledger) -> None:
    if connection.dialect.name == "sqlite":
        assert connection.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    rows = connection.execute(turns.select().order_by(turns.c.session, turns.c.seq)).all()
    first = {row.run: (row.session, row.seq, row.run) for row in reversed(rows)}
    assert ledger <= set(first.values()), "an acknowledged turn is lost"
    runs = {row.run for row in connection.execute(requests.select())}
    assert Counter(row.run for row in rows) == Counter(dict.fromkeys(runs, 2)), "half a turn is there"
    for table in (tool_calls, usage):
        assert Counter(row.run for row in connection.execute(table.select())) == Counter(runs)
    for session in connection.execute(sessions.select()):
        own = [row.seq for row in rows if row.session == session.key]
        assert own == list(range(session.next_seq)), "a turn is missing or doubled"


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_and_nothing_is_half_written(state_url: str | Path) -> None:
    kills = 200 if isinstance(state_url, Path) else 10
    ledger = written_by(state_url, kills=kills, processes=1, commits=3)
    assert len(ledger) > kills, "the processes lived too short to show anything"
    store = await open_store(state_url, clock=Clock(), may_quarantine=False)
    await store._database.read(check, ledger)
    await store.close()


@pytest.mark.slow
async def test_many_processes_at_one_database_do_not_lock_each_other_out(state_url: str | Path) -> None:
    """They open a database at once that does not exist yet."""
    ledger = written_by(state_url, kills=0, processes=8, commits=6)
    assert len({session for session, _, _ in ledger}) == 8 * writers.WRITERS + 1
    store = await open_store(state_url, clock=Clock(), may_quarantine=False)
    await store._database.read(check, ledger)
    await store.close()
