from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest, SessionConflict
from clawgate.state.records import Extent, NewTurn, ToolCallRecord
from clawgate.state.store import Store
from clawgate.state.tables import tool_calls
from tests.state.runs import run, said


async def test_a_session_that_was_never_written_does_not_exist(store: Store) -> None:
    assert await store.session("ann", "s") is None


async def test_the_turns_come_back_in_order_with_all_that_they_hold(store: Store) -> None:
    await store.commit(run("r1", turns=said("one", "two")))
    await store.commit(
        run("r2", expected_seq=2, turns=(NewTurn(message={"n": [1.5, None]}, status="interrupted"),))
    )
    session = await store.session("ann", "s")
    assert session is not None and (session.next_seq, session.agent, session.model) == (3, "main", None)
    assert [(turn.seq, turn.run, turn.status) for turn in session.turns] == [
        (0, "r1", "complete"),
        (1, "r1", "complete"),
        (2, "r2", "interrupted"),
    ]
    assert session.turns[2].message == {"n": [1.5, None]}
    assert session.created_at == 1_800_000_000.0 and session.updated_at == session.turns[0].created_at


@pytest.mark.parametrize("text", ["\0", "\ud800", "é\U0001f980", "'; DROP TABLE turns; --", '\n\r\t\\"'])
async def test_a_turn_holds_any_text(store: Store, text: str) -> None:
    await store.commit(run(turns=(NewTurn(message={"role": text, text: text}),)))
    session = await store.session("ann", "s")
    assert session is not None and session.turns[0].message == {"role": text, text: text}


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_run_that_expects_another_state_of_the_session_changes_nothing(
    store: Store, expected: int
) -> None:
    await store.commit(run("r1", turns=said("one", "two")))
    with pytest.raises(SessionConflict, match=r"'s'.*again"):
        await store.commit(run("r2", expected_seq=expected, turns=said("lost")))
    session = await store.session("ann", "s")
    assert session is not None and len(session.turns) == session.next_seq == 2
    assert [row.runs for row in await store.usage("agent")] == []


async def test_of_runs_that_begin_at_the_same_turn_one_is_stored(store: Store) -> None:
    results = await asyncio.gather(
        *(store.commit(run(f"r{n}", turns=said(str(n), str(n)))) for n in range(8)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["SessionConflict"] * 7
    session = await store.session("ann", "s")
    assert session is not None and len({turn.run for turn in session.turns}) == 1 and len(session.turns) == 2


async def test_a_run_without_a_session_leaves_none(store: Store) -> None:
    await store.commit(run(keeps_session=False))
    assert await store.session("ann", "s") is None and await store.sessions() == []


async def test_the_model_of_a_session_is_set_kept_and_removed(store: Store) -> None:
    async def model() -> str | None:
        session = await store.session("ann", "s")
        assert session is not None
        return session.model

    await store.commit(run("r1", turns=(), session_model="p/m"))
    assert await model() == "p/m"
    await store.commit(run("r2"))
    assert await model() == "p/m"
    await store.commit(run("r3", expected_seq=1, session_model=""))
    assert await model() is None


async def test_another_callers_session_does_not_exist(store: Store) -> None:
    await store.commit(run("r1"))
    assert await store.session("bob", "s") is None
    assert not await store.delete_session("bob", "s")
    await store.commit(run("r2", caller="bob", turns=said("of bob")))
    ann = await store.session("ann", "s")
    assert ann is not None and [turn.message["content"] for turn in ann.turns] == ["hello"]
    assert [one.caller for one in await store.sessions(caller="bob")] == ["bob"]


identities = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)


@settings(max_examples=15)  # each has a database of its own
@given(writes=st.lists(st.tuples(identities, identities), min_size=1, max_size=6))
def test_no_caller_and_key_ever_meets_another(
    writes: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from clawgate.state.store import open_store

    async def work() -> None:
        store = await open_store(tmp_path_factory.mktemp("state") / "state.db", clock=lambda: 0.0)
        try:
            written: dict[tuple[str, str], list[str]] = {}
            for number, (caller, key) in enumerate(writes):
                texts = written.setdefault((caller, key), [])
                await store.commit(
                    run(
                        f"r{number}",
                        caller=caller,
                        session=key,
                        expected_seq=len(texts),
                        turns=said(f"{number}"),
                    )
                )
                texts.append(f"{number}")
            for (caller, key), texts in written.items():
                session = await store.session(caller, key)
                assert session is not None
                assert [turn.message["content"] for turn in session.turns] == texts
        finally:
            await store.close()

    asyncio.run(work())


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "x\udfff", "k" * 1001, "é" * 501])
async def test_a_key_that_no_database_can_hold_is_the_requests_fault(store: Store, key: str) -> None:
    for attempt in (
        store.session("ann", key),
        store.commit(run(session=key)),
        store.delete_session("ann", key),
    ):
        with pytest.raises(InvalidRequest):
            await attempt


async def test_a_key_may_be_as_long_as_it_may(store: Store) -> None:
    """Of characters that an index cannot compress."""
    caller, key = (random.Random(seed).randbytes(500).hex() for seed in (1, 2))
    await store.commit(run(caller=caller, session=key))
    await store.begin_idempotent(caller, key, "hash", "r")
    assert await store.session(caller, key) is not None


async def test_the_list_has_what_was_used_last_first(store: Store) -> None:
    for number in range(5):
        await store.commit(run(f"r{number}", session=f"s{number}", finished_at=1_800_000_000.0 + number))
    page = await store.sessions(limit=2)
    assert [(one.key, one.turns) for one in page] == [("s4", 1), ("s3", 1)]
    rest = await store.sessions(before=page[-1].updated_at)
    assert [one.key for one in rest] == ["s2", "s1", "s0"]
    assert await store.sessions(agent="other") == []


CALL = ToolCallRecord(
    id="call_\0", name="n", arguments='{"a": "\ud800"}', result="\0", status="ok", started_at=1.0, seconds=0.1
)


@pytest.mark.parametrize(("last", "seqs"), [(1, [4]), (3, [2, 3, 4]), (99, [0, 1, 2, 3, 4])])
async def test_the_last_turns_can_be_had_alone(store: Store, last: int, seqs: list[int]) -> None:
    await store.commit(run(turns=said(*"abcde")))
    async with store.hold("ann", "s", 1, Extent(last)) as held:
        session = await store.session("ann", "s", Extent(last))
        assert session is not None and [turn.seq for turn in session.turns] == seqs and session.next_seq == 5
        assert held == session


@pytest.mark.parametrize(
    ("size", "seqs"), [(0, [2]), (20, [2]), (21, [1, 2]), (2_000, [1, 2]), (2_100, [0, 1, 2])]
)
async def test_so_many_bytes_of_a_session_can_be_had_alone(store: Store, size: int, seqs: list[int]) -> None:
    """The latest turn in any case, and each one that begins within them."""
    await store.commit(run(turns=tuple(NewTurn(message={"text": "x" * n}) for n in (9, 2_000, 8))))
    session = await store.session("ann", "s", Extent(size=size))
    assert session is not None and [turn.seq for turn in session.turns] == seqs and session.next_seq == 3


async def test_a_deleted_session_leaves_no_turn_and_no_tool_call(store: Store) -> None:
    await store.commit(run("r1", tool_calls=(CALL, CALL)))
    await store.commit(run("r2", session="other", tool_calls=(CALL,)))
    assert await store.delete_session("ann", "s")
    assert await store.session("ann", "s") is None
    left = await store._database.read(lambda connection: connection.execute(tool_calls.select()).all())
    assert [row.session for row in left] == ["other"]
    await store.commit(run("r3"))
    session = await store.session("ann", "s")
    assert session is not None and [turn.run for turn in session.turns] == ["r3"]


async def test_a_session_is_found_by_its_name_alone(store: Store) -> None:
    for number, key in enumerate(("agent:main:work", "work", "agent:main:work2", "agent:other:work")):
        await store.commit(run(f"r{number}", session=key))
    await store.commit(run("r-bob", caller="bob", session="agent:main:work"))
    assert {(one.caller, one.key) for one in await store.sessions(named="work")} == {
        ("ann", "agent:main:work"),
        ("bob", "agent:main:work"),
        ("ann", "work"),
    }
    (one,) = await store.sessions(named="agent:main:work", caller="bob")
    assert (one.caller, one.turns) == ("bob", 1)
    for name in ("wor%", "", "\0", "\ud800"):
        assert not await store.sessions(named=name)
