from __future__ import annotations

import pytest

from clawgate.policy.egress_ledger import LedgerQuery
from clawgate.state import retention
from clawgate.state.records import Begun, Finished, IdempotencyResult
from clawgate.state.retention import Pruned, Retention
from clawgate.state.store import Store
from clawgate.state.tables import idempotency, requests, tool_calls, usage
from tests.state.runs import Clock, run, said
from tests.state.test_egress import row
from tests.state.test_sessions import CALL
from tests.state.test_usage import used

DAY = 86_400.0
ALL = 10**12


def keep(**changes: float) -> Retention:
    limits = {
        "session_age": ALL,
        "session_turns": ALL,
        "session_bytes": ALL,
        "sessions_per_caller": ALL,
        "usage_age": ALL,
        "response_age": ALL,
        "response_bytes": ALL,
        "responses_per_caller": ALL,
    }
    return Retention(**limits | changes)  # type: ignore[arg-type] # whole numbers are


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)


async def keys(store: Store) -> list[str]:
    return sorted(f"{one.caller} {one.key}" for one in await store.sessions())


async def test_sessions_that_were_not_used_for_long_go_with_all_that_they_hold(
    store: Store, clock: Clock
) -> None:
    for number in range(6):
        await store.commit(
            run(f"r{number}", session=f"s{number}", finished_at=clock.now - number * DAY, tool_calls=(CALL,))
        )
    assert await store.prune(keep(session_age=2.5 * DAY)) == Pruned(sessions=3)
    assert await keys(store) == ["ann s0", "ann s1", "ann s2"]
    left = await store._database.read(lambda connection: connection.execute(tool_calls.select()).all())
    assert {row.session for row in left} == {"s0", "s1", "s2"}
    assert (await store.usage("agent")) == [] and await store.prune(keep(session_age=2.5 * DAY)) == Pruned()


async def test_each_caller_keeps_the_sessions_that_it_used_last(store: Store) -> None:
    for number in range(5):
        for caller in ("ann", "bob"):
            name = f"{caller}{number}"
            await store.commit(run(name, caller=caller, session=f"s{number}", finished_at=float(number)))
    assert await store.prune(keep(sessions_per_caller=2)) == Pruned(sessions=6)
    assert await keys(store) == ["ann s3", "ann s4", "bob s3", "bob s4"]


async def test_the_oldest_turns_of_a_long_session_go_and_it_runs_on(store: Store) -> None:
    await store.commit(run("r1", turns=said(*"abcdef")))
    await store.commit(run("r2", session="short", turns=said(*"ab")))
    assert await store.prune(keep(session_turns=2)) == Pruned(turns=4)
    session = await store.session("ann", "s")
    assert session is not None and [turn.message["content"] for turn in session.turns] == ["e", "f"]
    await store.commit(run("r3", expected_seq=session.next_seq, turns=said("g")))
    session = await store.session("ann", "s")
    assert session is not None and [turn.seq for turn in session.turns] == [4, 5, 6]


async def test_a_session_that_is_too_large_keeps_its_newest_turn(store: Store) -> None:
    await store.commit(run("r1", turns=said("x" * 5000, "y" * 3000, "z" * 3000)))
    assert await store.prune(keep(session_bytes=7000)) == Pruned(turns=1)
    assert await store.prune(keep(session_bytes=10)) == Pruned(turns=1)
    assert await store.prune(keep(session_bytes=10)) == Pruned()
    session = await store.session("ann", "s")
    assert session is not None and [turn.message["content"][0] for turn in session.turns] == ["z"]


async def test_records_of_requests_go_by_their_age(store: Store, clock: Clock) -> None:
    for number in range(5):
        await store.commit(
            run(
                f"r{number}",
                keeps_session=False,
                finished_at=clock.now - number * DAY,
                usage=(used("1"),),
                tool_calls=(CALL,),
            )
        )
    assert await store.prune(keep(usage_age=1.5 * DAY)) == Pruned(requests=3)
    for table in (requests, usage, tool_calls):
        left = await store._database.read(
            lambda connection, one: connection.execute(one.select()).all(), table
        )
        assert sorted(row.run for row in left) == ["r0", "r1"]


async def test_idempotency_records_go_when_they_have_expired(store: Store, clock: Clock) -> None:
    for number in range(5):
        assert await store.begin_idempotent("ann", f"k{number}", "hash", f"r{number}") == Begun()
        clock.now += DAY / 4
    result = IdempotencyResult(key="k4", status=200, content_type="t", body=b"")
    await store.commit(run("r4", idempotency=result))
    assert await store.prune(keep()) == Pruned(idempotency_records=1)
    clock.now += DAY / 2
    assert await store.prune(keep()) == Pruned(idempotency_records=2)
    left = await store._database.read(lambda connection: connection.execute(idempotency.select()).all())
    assert sorted(row.key for row in left) == ["k3", "k4"]
    assert await store.begin_idempotent("ann", "k4", "hash", "r9") == Finished(result, "r4")


async def test_a_session_that_is_used_in_between_stays(store: Store) -> None:
    await store.commit(run("r1", finished_at=1.0))
    stale = await store._database.read(retention.stale_sessions, keep(session_age=DAY), DAY * 9)
    await store.commit(run("r2", expected_seq=1, finished_at=DAY * 9))
    assert await store._database.write(retention.delete_sessions, stale) == 0
    assert await keys(store) == ["ann s"]


async def test_connections_go_with_the_age_of_usage(store: Store, clock: Clock) -> None:
    await store.save_connections([row(str(days), opened_at=clock.now - days * DAY) for days in range(5)])
    assert await store.prune(keep(usage_age=2.5 * DAY)) == Pruned(connections=2)
    assert [one.id for one in await store.connections(LedgerQuery())] == ["0", "1", "2"]


async def test_of_too_many_connections_the_newest_are_kept(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EGRESS_ROWS", 3)
    await store.save_connections([row(str(age), opened_at=clock.now - age) for age in range(8)])
    assert await store.prune(keep()) == Pruned(connections=5)
    assert [one.id for one in await store.connections(LedgerQuery())] == ["0", "1", "2"]
