from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from clawgate.errors import SessionConflict
from clawgate.state.records import Begun, Extent, IdempotencyResult, ModelUsage, Running
from clawgate.state.store import Store, open_store
from clawgate.state.tables import metadata
from tests.state.round_trips import RoundTrips, counted
from tests.state.runs import Clock, run, said
from tests.state.test_sessions import CALL

USAGE = ModelUsage(provider="p", model="m", input_tokens=1, output_tokens=1)
RESULT = IdempotencyResult(key="k", status=200, content_type="text/plain", body=b"\0\xff")


def rows(connection: Connection) -> dict[str, list[object]]:
    return {
        name: [tuple(row) for row in connection.execute(table.select())]
        for name, table in metadata.tables.items()
    }


@pytest.fixture
async def opened(state_url: str | Path) -> AsyncIterator[tuple[Store, RoundTrips]]:
    async with counted(state_url) as (url, trips):
        store = await open_store(url, clock=Clock())
        yield store, trips
        await store.close()


async def turn(store: Store, name: str, *, key: str | None = None) -> None:
    if key is not None:
        assert await store.begin_idempotent("ann", key, "hash", name) == Begun()
    result = IdempotencyResult(key=key, status=200, content_type="text/plain", body=b"") if key else None
    async with store.hold("ann", "s", 5, Extent(200, 1_000_000)) as session:
        expected = session.next_seq if session is not None else 0
        left = run(name, expected_seq=expected, usage=(USAGE,), tool_calls=(CALL,), idempotency=result)
        await store.commit(left)


async def test_a_turn_waits_for_its_database_as_seldom_as_possible(
    opened: tuple[Store, RoundTrips], state_url: str | Path
) -> None:
    """To lock and read the session, to commit, to release. A session that is kept by one process needs no lock."""
    store, trips = opened
    for number in range(3):  # statements are prepared at their first use on each connection
        await turn(store, f"r{number}", key=f"k{number}")
        await store.commit(run(f"alone{number}", keeps_session=False))
        await store.session("ann", "s")
    is_shared = not isinstance(state_url, Path)
    trips.take()
    await turn(store, "r-again")
    assert trips.take() == (3 if is_shared else 2)
    await turn(store, "r-key", key="k-new")
    assert trips.take() == (4 if is_shared else 3)
    await store.commit(run("alone-again", keeps_session=False, usage=(USAGE,)))
    assert trips.take() == 1
    await store.session("ann", "s")
    assert trips.take() == 1


async def test_a_run_that_is_written_twice_is_there_once(store: Store) -> None:
    """As when the connection is lost between the commit and its confirmation."""
    for keeps in (True, False):
        await store.begin_idempotent("ann", "k", "hash", f"r{keeps}")
        left = run(
            f"r{keeps}",
            keeps_session=keeps,
            usage=(USAGE,),
            tool_calls=(CALL,),
            idempotency=RESULT if keeps else None,
        )
        await store.commit(left)
        before = await store._database.read(rows)
        await store.commit(left)
        assert await store._database.read(rows) == before


@pytest.mark.parametrize("lost", ["session", "key", "both"])
async def test_a_run_whose_session_or_key_is_anothers_leaves_nothing(store: Store, lost: str) -> None:
    await store.commit(run("r0"))
    await store.begin_idempotent("ann", "k", "hash", "r1")
    before = await store._database.read(rows)
    left = run(
        "r1" if lost == "session" else "r-other",
        expected_seq=1 if lost == "key" else 0,
        usage=(USAGE,),
        tool_calls=(CALL,),
        session_model="p/m",
        idempotency=RESULT,
    )
    with pytest.raises(SessionConflict, match="'k'" if lost == "key" else "'s'"):
        await store.commit(left)
    assert await store._database.read(rows) == before
    assert await store.begin_idempotent("ann", "k", "hash", "r2") == Running("r1", is_own=True)


async def conversation(store: Store, **extent: bool) -> list[int]:
    session = await store.session("ann", "s", Extent(**extent))
    assert session is not None
    return [turn.seq for turn in session.turns]


async def test_turns_that_a_run_replaces_are_of_the_conversation_no_more_and_kept(store: Store) -> None:
    await store.commit(run("r0", turns=said(*"abcd")))
    await store.commit(run("r-other", turns=said(*"abcd"), session="other"))
    await store.commit(run("r1", expected_seq=4, turns=said("C"), replaces_from=2))
    assert await conversation(store) == [0, 1, 4] and await store.turn_count("ann", "s") == 3
    await store.commit(run("r2", expected_seq=5, turns=said("A", "B"), replaces_from=0))
    async with store.hold("ann", "s", 5, Extent(9)) as held:
        assert held is not None and [turn.seq for turn in held.turns] == [5, 6] and held.is_whole
        assert held == await store.session("ann", "s")
    part = await store.session("ann", "s", Extent(1))
    assert part is not None and [turn.seq for turn in part.turns] == [6] and not part.is_whole
    everything = await store.session("ann", "s", Extent(with_replaced=True))
    assert everything is not None
    assert [turn.replaced_by for turn in everything.turns] == [5, 5, 4, 4, 5, None, None]
    other = await store.session("ann", "other")
    assert other is not None and len(other.turns) == 4
    assert {one.key: one.turns for one in await store.sessions()} == {"s": 2, "other": 4}


async def test_a_run_that_comes_too_late_replaces_nothing(store: Store) -> None:
    await store.commit(run("r0", turns=said(*"abcd")))
    with pytest.raises(SessionConflict):
        await store.commit(run("r1", expected_seq=3, replaces_from=1))
    await store.commit(run("r2", expected_seq=4, replaces_from=1, keeps_session=False, turns=()))
    assert await conversation(store) == [0, 1, 2, 3]


async def test_a_run_that_begins_its_session_anew_deletes_it_with_all_else_or_not_at_all(
    store: Store,
) -> None:
    await store.commit(run("r0", tool_calls=(CALL,)))
    await store.commit(run("r-other", caller="bob"))
    before = await store._database.read(rows)
    begins = run("r1", keeps_session=False, turns=(), begins_anew=True, idempotency=RESULT)
    with pytest.raises(SessionConflict):  # the key is another run's
        await store.commit(begins)
    assert await store._database.read(rows) == before
    await store.begin_idempotent("ann", "k", "hash", "r1")
    for _ in range(2):
        await store.commit(begins)
        assert await store.session("ann", "s") is None and await store.session("bob", "s") is not None
        left = await store._database.read(rows)
        assert len(left["requests"]) == 3 and not left["tool_calls"] and len(left["turns"]) == 1
