"""Stored responses: each with the history of its own chain, of one caller alone, and gone once it was deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from clawgate.state import responses
from clawgate.state.records import Begun, Extent, NewResponse, NewTurn, Running, RunRecord
from clawgate.state.retention import Retention
from clawgate.state.store import Store, open_store
from clawgate.state.tables import responses as table
from tests.state.runs import Clock, run, said
from tests.state.test_retention import keep


def stored(name: str, *texts: str, parent: str | None = None, **changes: Any) -> RunRecord:
    """A run without a session whose response is stored."""
    response = NewResponse(
        body={"id": f"resp_{name}"}, input=[{"text": name}], status="completed", parent=parent
    )
    return run(name, keeps_session=False, turns=said(*texts), response=response, **changes)


async def history(store: Store, name: str, **extent: Any) -> list[str]:
    found = await store.history("ann", name, Extent(**extent))
    assert found is not None
    return [turn.message["content"] for turn in found.turns]


def rows(connection: Connection) -> dict[str, str]:
    return {row.id: row.status for row in connection.execute(table.select())}


async def left(store: Store) -> dict[str, str]:
    return await store._database.read(rows)


async def test_a_response_is_read_as_it_was_written(store: Store) -> None:
    body = {"id": "resp_r1", "text": "nul \0 and half \ud83e", "n": 1.5}
    new = NewResponse(body=body, input=[{"a": "\0"}], status="completed")
    await store.commit(run("r1", keeps_session=False, response=new))
    found = await store.response("ann", "r1")
    assert found is not None and (found.body, found.input) == (body, [{"a": "\0"}])
    assert (found.agent, found.status, found.session, found.is_own) == ("main", "completed", None, True)


async def test_another_callers_response_does_not_exist(store: Store) -> None:
    await store.commit(stored("r1", "a"))
    assert await store.response("bob", "r1") is None and await store.history("bob", "r1") is None
    assert not await store.delete_response("bob", "r1")
    await store.end_response("bob", "r1", "cancelled", {})
    found = await store.response("ann", "r1")
    assert found is not None and found.status == "completed"


async def test_a_chain_that_forks_has_the_history_of_each_branch(store: Store) -> None:
    for name, parent in (("r1", None), ("r2", "r1"), ("left", "r2"), ("right", "r1"), ("more", "right")):
        await store.commit(stored(name, f"{name}?", f"{name}!", parent=parent))
    assert await history(store, "left") == ["r1?", "r1!", "r2?", "r2!", "left?", "left!"]
    assert await history(store, "more") == ["r1?", "r1!", "right?", "right!", "more?", "more!"]
    assert await history(store, "r1") == ["r1?", "r1!"]


async def test_a_response_of_a_session_has_its_turns_up_to_there(store: Store) -> None:
    """Whatever the session has since, of this door or another; a fork begins there."""
    new = NewResponse(body={}, input=[], status="completed")
    await store.commit(run("r0", turns=said("chat")))
    await store.commit(run("r1", expected_seq=1, turns=said("a", "b"), response=new))
    await store.commit(run("r2", expected_seq=3, turns=said("later")))
    await store.commit(stored("fork", "f", parent="r1"))
    assert await history(store, "r1") == ["chat", "a", "b"]
    assert await history(store, "fork") == ["chat", "a", "b", "f"]
    found = await store.response("ann", "r1")
    assert found is not None and (found.session, found.seq) == ("s", 3)


async def test_the_history_of_a_response_has_what_was_replaced_later_and_not_before(store: Store) -> None:
    def answered(name: str, *texts: str, **changes: Any) -> RunRecord:
        return replace(stored(name, *texts, **changes), keeps_session=True)

    await store.commit(answered("r0", "a", "b"))
    await store.commit(answered("r1", "c", "d", expected_seq=2))
    await store.commit(answered("r2", "C", "D", expected_seq=4, replaces_from=2))
    await store.commit(answered("r3", "A", "B", expected_seq=6, replaces_from=0))
    assert [await history(store, f"r{number}") for number in range(4)] == [
        ["a", "b"], ["a", "b", "c", "d"], ["a", "b", "C", "D"], ["A", "B"]
    ]  # fmt: skip


@pytest.mark.parametrize(("extent", "expected"), [({"turns": 3}, 3), ({"size": 1}, 1), ({"turns": 100}, 6)])
async def test_a_history_is_read_as_far_as_it_is_needed(
    store: Store, extent: dict[str, Any], expected: int
) -> None:
    for number in range(3):
        parent = f"r{number - 1}" if number else None
        await store.commit(stored(f"r{number}", f"{number}a", f"{number}b", parent=parent))
    found = await store.history("ann", "r2", Extent(**extent))
    assert found is not None and len(found.turns) == expected and found.is_whole == (expected == 6)
    assert [turn.message["content"] for turn in found.turns][-1] == "2b"


async def test_what_is_deleted_is_gone_once_nothing_is_built_on_it(store: Store) -> None:
    for name, parent in (("r1", None), ("r2", "r1"), ("r3", "r2")):
        await store.commit(stored(name, name, parent=parent))
    assert await store.delete_response("ann", "r2") and not await store.delete_response("ann", "r2")
    assert await store.response("ann", "r2") is None and await store.history("ann", "r2") is None
    assert await history(store, "r3") == ["r1", "r2", "r3"]
    assert await store.delete_response("ann", "r1")
    assert await left(store) == {"r1": "deleted", "r2": "deleted", "r3": "completed"}
    assert await store.delete_response("ann", "r3")
    assert await left(store) == {}


async def test_a_session_takes_its_responses_along(store: Store) -> None:
    """And what was built on them: its history is gone."""
    new = NewResponse(body={}, input=[], status="completed")
    await store.commit(run("r1", response=new))
    await store.commit(stored("fork", "f", parent="r1"))
    await store.commit(stored("other", "o"))
    assert await store.delete_session("ann", "s")
    assert await left(store) == {"other": "completed"}


async def test_the_end_of_a_response_replaces_its_begin_and_no_other_end(store: Store) -> None:
    begun = run(
        "r1", keeps_session=False, turns=(), response=NewResponse(body={"at": 0}, input=[1], status="queued")
    )
    await store.begin_response(begun)
    found = await store.response("ann", "r1")
    assert found is not None and (found.status, found.body) == ("queued", {"at": 0})
    end = NewResponse(body={"at": 1}, input=[1], status="completed", begun=True)
    await store.commit(run("r1", response=end))
    await store.begin_response(begun)
    await store.commit(stored("r2", "x"))
    found = await store.response("ann", "r1")
    assert found is not None and (found.status, found.body, found.session) == ("completed", {"at": 1}, "s")


@pytest.mark.parametrize("keeps_session", [False, True])
async def test_what_is_deleted_while_its_run_is_under_way_stays_deleted(
    store: Store, keeps_session: bool
) -> None:
    """The run may be another gateway's, which does not know of it. Its session has its messages all the same."""
    new = NewResponse(body={}, input=[], status="in_progress")
    await store.begin_response(run("r1", keeps_session=False, turns=(), response=new))
    assert await store.delete_response("ann", "r1")
    end = replace(new, status="completed", begun=True)
    await store.commit(run("r1", keeps_session=keeps_session, turns=said("a"), response=end))
    assert await left(store) == {} and await store.response("ann", "r1") is None
    session = await store.session("ann", "s")
    assert (session is not None) == keeps_session


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("failed", "cancelled"), "cancelled"),
        (("cancelled", "failed"), "cancelled"),
        (("failed", "failed"), "failed"),
        (("completed", "cancelled"), "completed"),
    ],
)
async def test_a_response_that_its_caller_cancels_stays_cancelled(
    store: Store, words: tuple[str, str], left: str
) -> None:
    """The run may fail of it afterwards, at another gateway, or have failed of it before, at this one."""
    new = NewResponse(body={}, input=[], status="in_progress")
    await store.begin_response(run("r1", keeps_session=False, turns=(), response=new))
    for word in words:
        if word == "completed":
            await store.commit(run("r1", response=replace(new, status=word, begun=True)))
        else:
            await store.end_response("ann", "r1", word, {"why": word})
    found = await store.response("ann", "r1")
    assert found is not None and found.status == left


async def test_what_would_repeat_a_response_is_deleted_with_it(store: Store) -> None:
    """And nothing of a run that has none, nor of another caller."""
    new = NewResponse(body={}, input=[], status="completed")
    for caller in ("ann", "bob"):
        await store.begin_idempotent(caller, "k", "h", "r1")
        await store.commit(
            run("r1" if caller == "ann" else "r2", caller=caller, response=new, idempotency=None)
        )
    assert not await store.delete_response("ann", "r9")
    assert isinstance(await store.begin_idempotent("ann", "k", "h", "r3"), Running)
    assert await store.delete_response("ann", "r1")
    assert isinstance(await store.begin_idempotent("ann", "k", "h", "r3"), Begun)
    assert isinstance(await store.begin_idempotent("bob", "k", "h", "r3"), Running)


async def test_a_response_whose_gateway_has_ended_is_lost(state_url: str | Path, clock: Clock) -> None:
    first = await open_store(state_url, clock=clock)
    new = NewResponse(body={}, input=[], status="in_progress")
    await first.begin_response(run("r1", keeps_session=False, turns=(), response=new))
    await first.close()
    second = await open_store(state_url, clock=clock)
    try:
        found = await second.response("ann", "r1")
        assert found is not None and found.status == responses.LOST
        await second.end_response("ann", "r1", "failed", {"why": "it ended"})
        found = await second.response("ann", "r1")
        assert found is not None and (found.status, found.body) == ("failed", {"why": "it ended"})
    finally:
        await second.close()


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"response_age": 250}, {"r2", "r3"}),
        ({"responses_per_caller": 1}, {"r3"}),
        ({"response_bytes": 1}, set()),
    ],
)
async def test_old_and_many_responses_are_deleted(
    store: Store, clock: Clock, limit: dict[str, float], expected: set[str]
) -> None:
    for number in range(4):
        await store.commit(stored(f"r{number}", "x", started_at=clock.now))
        clock.now += 100
    pruned = await store.prune(keep(**limit))
    assert set(await left(store)) == expected and pruned.responses == 4 - len(expected)


async def test_a_chain_that_is_used_keeps_its_turns(store: Store, clock: Clock) -> None:
    """The old response can be read no more; what was built on it can."""
    await store.commit(stored("old", "o", started_at=clock.now))
    clock.now += 1000
    await store.commit(stored("new", "n", parent="old", started_at=clock.now))
    await store.prune(keep(response_age=500))
    assert await store.response("ann", "old") is None
    assert await history(store, "new") == ["o", "n"]
    clock.now += 1000
    await store.prune(keep(response_age=500))
    assert await left(store) == {}


def test_a_retention_says_what_is_kept_of_responses() -> None:
    assert {"response_age", "response_bytes", "responses_per_caller"} <= set(Retention.__slots__)


def test_a_row_has_turns_or_a_session() -> None:
    new = NewResponse(body={}, input=[], status="completed")
    assert responses.row_of(run(response=new), new, 1)["turns"] is None
    alone = run(keeps_session=False, turns=(NewTurn(message={"role": "user"}),), response=new)
    row = responses.row_of(alone, new, 1)
    assert (row["session"], row["turns"]) == (None, '[{"role": "user"}]')
