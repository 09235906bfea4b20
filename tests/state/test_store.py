from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from clawgate.errors import SessionConflict, StoreUnavailable
from clawgate.state.records import Begun, IdempotencyResult, ToolCallRecord
from clawgate.state.retention import BATCH
from clawgate.state.store import Store
from clawgate.state.tables import requests, tool_calls
from tests.state.runs import run
from tests.state.test_usage import used

CALL = ToolCallRecord(
    id="call_1", name="n", arguments="{}", result="r", status="ok", started_at=1.0, seconds=0.1
)


async def test_a_run_leaves_all_or_nothing(store: Store) -> None:
    """Its request, turns and usage are written before the idempotency record, which is not there."""
    result = IdempotencyResult(key="k", status=200, content_type="t", body=b"")
    with pytest.raises(SessionConflict):
        await store.commit(run(usage=(used("1"),), tool_calls=(CALL,), idempotency=result))
    assert await store.session("ann", "s") is None and await store.usage("agent") == []
    await store.commit(run())
    session = await store.session("ann", "s")
    assert session is not None and session.next_seq == 1


async def test_a_run_that_is_committed_twice_is_stored_once(store: Store) -> None:
    """As it happens when the connection is lost before the server confirms."""
    for _ in range(2):
        await store.commit(run(usage=(used("1"),), tool_calls=(CALL,)))
    session = await store.session("ann", "s")
    assert session is not None and session.next_seq == 1
    assert [row.cost for row in await store.usage("agent")] == [Decimal(1)]


async def test_every_request_has_a_row_with_who_what_and_when(store: Store) -> None:
    await store.commit(
        run(provider="p", model="m", status=502, code="upstream_failed", bytes_sent=7, trace_id="t")
    )
    (row,) = await store._database.read(lambda connection: connection.execute(requests.select()).all())
    assert row[:8] == ("run-1", "ann", "main", "s", "p", "m", 502, "upstream_failed")
    assert row[8:] == (1_800_000_000.0, 1_800_000_001.5, 7, "t")


async def test_a_tool_call_is_stored_with_its_run(store: Store) -> None:
    await store.commit(run(tool_calls=(CALL, CALL)))
    rows = await store._database.read(lambda connection: connection.execute(tool_calls.select()).all())
    assert [(row.run, row.position, row.result) for row in rows] == [("run-1", 0, '"r"'), ("run-1", 1, '"r"')]


async def test_the_check_passes_where_the_database_is(store: Store) -> None:
    await store.check()
    assert store.name


@pytest.mark.parametrize("module", ["clawgate.cli.main", "clawgate.app.gateway", "clawgate.app.run"])
def test_nothing_of_the_state_is_imported_before_it_is_used(module: str) -> None:
    heavy = {"clawgate.state", "sqlalchemy", "alembic", "asyncpg", "genai_prices"}
    code = f"import sys; import {module}; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout == "[]\n"


async def test_what_was_used_in_the_meantime_is_not_deleted_as_unused(store: Store) -> None:
    for number in range(BATCH + 2):
        await store.commit(run(f"r{number}", session=f"s{number}"))
    found = await store.sessions(limit=1000)
    await store.commit(run("again", session="s7", expected_seq=1, finished_at=1_800_000_009.0))
    assert await store.delete_unused(found) == BATCH + 1
    assert [one.key for one in await store.sessions()] == ["s7"]


async def test_after_a_run_that_was_not_stored_the_next_one_makes_sure_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.ready()
    with monkeypatch.context() as broken:

        async def fails(*args: object, **more: object) -> None:
            raise StoreUnavailable("gone")

        broken.setattr(store._database, "write_one", fails)
        await store.ready()  # nothing has failed yet, and nothing is written
        with pytest.raises(StoreUnavailable):
            await store.commit(run())
        with pytest.raises(StoreUnavailable):
            await store.ready()
    await store.ready()
    assert await store.begin_idempotent("", "probe", "other", "r") == Begun(), "it leaves nothing"
    await store.commit(run())
