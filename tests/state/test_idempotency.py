from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from clawgate.errors import IdempotencyMismatch, SessionConflict
from clawgate.state.records import Begun, Finished, IdempotencyResult, Running
from clawgate.state.store import Store, open_store
from tests.state.runs import Clock, run

RESULT = IdempotencyResult(key="k", status=200, content_type="text/event-stream", body=b"data: \0\xff\n\n")
DAY = 86_400.0


async def test_the_first_request_runs_and_a_repeated_one_gets_its_response(store: Store) -> None:
    assert await store.begin_idempotent("ann", "k", "hash", "r1") == Begun()
    assert await store.begin_idempotent("ann", "k", "hash", "r2") == Running("r1", is_own=True)
    await store.commit(run("r1", idempotency=RESULT))
    assert await store.begin_idempotent("ann", "k", "hash", "r3") == Finished(RESULT, "r1")


async def test_of_many_at_once_one_begins(store: Store) -> None:
    results = await asyncio.gather(*(store.begin_idempotent("ann", "k", "h", f"r{n}") for n in range(100)))
    assert Counter(type(result) for result in results) == {Begun: 1, Running: 99}


@pytest.mark.parametrize("finished", [False, True])
async def test_another_body_with_the_same_key_is_refused(store: Store, finished: bool) -> None:
    await store.begin_idempotent("ann", "k", "hash", "r1")
    if finished:
        await store.commit(run("r1", idempotency=RESULT))
    with pytest.raises(IdempotencyMismatch, match=r"'k'.*new key"):
        await store.begin_idempotent("ann", "k", "other", "r2")


async def test_another_callers_key_is_another_key(store: Store) -> None:
    await store.begin_idempotent("ann", "k", "hash", "r1")
    await store.commit(run("r1", idempotency=RESULT))
    assert await store.begin_idempotent("bob", "k", "other", "r2") == Begun()


async def test_a_result_is_kept_for_a_day(store: Store, clock: Clock) -> None:
    await store.begin_idempotent("ann", "k", "hash", "r1")
    await store.commit(run("r1", idempotency=RESULT))
    clock.now += DAY - 1
    assert await store.begin_idempotent("ann", "k", "hash", "r2") == Finished(RESULT, "r1")
    clock.now += 1
    assert await store.begin_idempotent("ann", "k", "other", "r3") == Begun()


async def test_an_abandoned_request_is_new_the_next_time(store: Store) -> None:
    await store.begin_idempotent("ann", "k", "hash", "r1")
    await store.abandon_idempotent("ann", "k", "r-other")
    assert await store.begin_idempotent("ann", "k", "hash", "r2") == Running("r1", is_own=True)
    await store.abandon_idempotent("ann", "k", "r1")
    assert await store.begin_idempotent("ann", "k", "other", "r3") == Begun()


async def test_a_finished_request_is_not_abandoned(store: Store) -> None:
    await store.begin_idempotent("ann", "k", "hash", "r1")
    await store.commit(run("r1", idempotency=RESULT))
    await store.abandon_idempotent("ann", "k", "r1")
    assert await store.begin_idempotent("ann", "k", "hash", "r2") == Finished(RESULT, "r1")


async def test_a_run_whose_process_ended_is_taken_over_and_cannot_finish(
    state_url: str | Path, clock: Clock
) -> None:
    first = await open_store(state_url, clock=clock)
    await first.begin_idempotent("ann", "k", "hash", "r1")
    await first.close()
    second = await open_store(state_url, clock=clock)
    try:
        assert await second.begin_idempotent("ann", "k", "hash", "r2") == Begun()
        with pytest.raises(SessionConflict, match="took the request over"):
            await second.commit(run("r1", idempotency=RESULT))
        assert await second.session("ann", "s") is None
        await second.commit(run("r2", idempotency=RESULT))
        assert await second.begin_idempotent("ann", "k", "hash", "r3") == Finished(RESULT, "r2")
    finally:
        await second.close()
