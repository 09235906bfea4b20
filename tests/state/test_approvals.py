"""Calls that wait for approval, in the database."""

from __future__ import annotations

import asyncio

import pytest

from clawgate.errors import ApprovalInvalid
from clawgate.state.records import NewApproval
from clawgate.state.store import Store
from tests.state.runs import Clock, run
from tests.state.test_retention import keep

CALLER = "ann"

ID = "call_1"


def waiting(call_id: str = ID, session: str = "s") -> NewApproval:
    return NewApproval(
        id=call_id,
        name="saw\0\ud800",
        arguments='{"at": 1}',
        definition="abc",
        session=session,
        expires_at=5.0,
    )


async def add(store: Store, *calls: NewApproval) -> None:
    await store.commit(run("r1", approvals=calls or (waiting(),)))


async def test_a_call_is_stored_with_its_run_and_found_by_its_caller_alone(store: Store) -> None:
    await add(store)
    found = (await store.approvals(CALLER, [ID, "other"]))[ID]
    assert (found.name, found.arguments, found.session, found.expires_at) == (
        "saw\0\ud800",
        '{"at": 1}',
        "s",
        5.0,
    )
    assert (found.decided_by, found.result, found.ended_as) == (None, None, None)
    assert await store.approvals("another", [ID]) == {}


async def test_the_first_run_that_decides_owns_the_call(store: Store) -> None:
    await add(store)
    runs = [f"r{number}" for number in range(2, 10)]
    results = await asyncio.gather(
        *(store.decide(CALLER, {ID: None}, run) for run in runs), return_exceptions=True
    )
    assert [type(result) for result in results].count(ApprovalInvalid) == len(runs) - 1
    owner = runs[results.index(None)]
    found = (await store.approvals(CALLER, [ID]))[ID]
    assert found.decided_by == owner
    await store.decide(CALLER, {ID: None}, owner)  # as after a connection that was lost


async def test_decisions_of_a_request_are_stored_together_or_not_at_all(store: Store) -> None:
    await add(store, waiting("a"), waiting("b"))
    await store.decide(CALLER, {"b": "no"}, "r2")
    with pytest.raises(ApprovalInvalid, match="'b' was decided by another request"):
        await store.decide(CALLER, {"a": None, "b": None}, "r3")
    found = await store.approvals(CALLER, ["a", "b"])
    assert (found["a"].decided_by, found["b"].decided_by, found["b"].result) == (None, "r2", "no")


async def test_another_caller_decides_nothing(store: Store) -> None:
    await add(store)
    with pytest.raises(ApprovalInvalid):
        await store.decide("another", {ID: None}, "r2")


async def test_the_result_is_stored_for_the_run_that_owns_the_call(store: Store) -> None:
    await add(store)
    await store.decide(CALLER, {ID: None}, "r2")
    await store.finish_call(CALLER, ID, "r3", "of another")
    assert (await store.approvals(CALLER, [ID]))[ID].result is None
    await store.finish_call(CALLER, ID, "r2", "cut\0")
    await store.commit(run("r2", expected_seq=1, status=502))
    found = (await store.approvals(CALLER, [ID]))[ID]
    assert (found.result, found.ended_as) == ("cut\0", 502)


@pytest.mark.parametrize("how", ["session", "retention", "age"])
async def test_calls_go_with_their_session_and_their_run(store: Store, clock: Clock, how: str) -> None:
    await add(store, waiting("a", "s"), waiting("b", ""))
    if how == "session":
        await store.delete_session(CALLER, "s")
    elif how == "retention":
        await store.delete_unused(await store.sessions())
    else:
        clock.now += 10.0
        await store.prune(keep(usage_age=5.0))
    left = await store.approvals(CALLER, ["a", "b"])
    assert set(left) == (set() if how == "age" else {"b"})
