"""Followers of a run: what each of them sees, and what their leaving does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.agents.run.events import RunEvent, TextDelta
from clawgate.agents.session.live_run import LiveRun
from clawgate.errors import GatewayError, InvalidRequest
from tests.relay.fakes import settle

Emit = Callable[[RunEvent], None]


class Steered:
    """A run whose events a test gives it."""

    def __init__(self, **options: bool) -> None:
        self.run = LiveRun("r", "me", **options)
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.emit: Emit
        self.task = self.run.start(self._work)

    async def _work(self, emit: Emit) -> None:
        self.emit = emit
        await self.end

    def say(self, text: str) -> None:
        self.emit(TextDelta(text))


async def seen(run: LiveRun, start: int = 0, *, keeps: bool = True) -> list[RunEvent]:
    return [event async for batch in run.follow(start, keeps=keeps) for event in batch]


async def steered(**options: bool) -> Steered:
    made = Steered(**options)
    await settle()
    return made


async def test_who_comes_late_sees_all_events_from_the_beginning() -> None:
    made = await steered()
    early = asyncio.create_task(seen(made.run))
    await settle()
    made.say("a")
    await settle()
    late = asyncio.create_task(seen(made.run))
    await settle()
    made.say("b")
    made.end.set_result(None)
    assert await early == await late == [TextDelta("a"), TextDelta("b")]


@pytest.mark.parametrize("start", range(4))
async def test_who_resumes_sees_what_is_left(start: int) -> None:
    made = await steered()
    for text in "abc":
        made.say(text)
    made.end.set_result(None)
    await settle()
    assert await seen(made.run, start) == [TextDelta(text) for text in "abc"[start:]]


async def test_the_error_comes_behind_the_events() -> None:
    made = await steered()
    made.say("a")
    made.end.set_exception(InvalidRequest("no"))
    events: list[RunEvent] = []
    with pytest.raises(InvalidRequest):  # noqa: PT012  # what came before counts
        async for batch in made.run.follow():
            events += batch
    assert events == [TextDelta("a")]


async def test_an_unforeseen_error_is_none_of_its_texts(caplog: pytest.LogCaptureFixture) -> None:
    made = await steered()
    made.end.set_exception(ValueError("sk-SECRET"))
    with caplog.at_level(logging.CRITICAL, "clawgate.agents"), pytest.raises(GatewayError) as caught:
        await seen(made.run)
    assert caught.value.code == "internal_error" and "SECRET" not in caught.value.message


async def test_a_run_that_is_cancelled_before_its_first_step_ends_for_its_followers() -> None:
    made = Steered()
    follower = asyncio.create_task(seen(made.run))
    made.run.cancel()
    await settle()
    assert made.run.is_over and follower.done()
    with pytest.raises(GatewayError, match="was stopped"):
        await follower


@pytest.mark.parametrize(("by_caller", "code"), [(True, "invalid_request"), (False, "gateway_stopping")])
async def test_what_a_caller_stopped_is_no_error_that_clients_repeat(by_caller: bool, code: str) -> None:
    made = await steered()
    made.run.is_cancelled = by_caller
    made.run.cancel()
    with pytest.raises(GatewayError) as caught:
        await seen(made.run)
    assert caught.value.code == code


async def left(run: LiveRun, *, keeps: bool = True) -> None:
    """Follow it, and go."""
    task = asyncio.create_task(seen(run, keeps=keeps))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle()


async def test_the_last_follower_that_leaves_cancels_the_run() -> None:
    made = await steered()
    other = asyncio.create_task(seen(made.run))
    await settle()
    await left(made.run)
    assert not made.task.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    await settle()
    assert made.task.cancelled() and made.run.is_over


async def test_who_only_watches_neither_ends_the_run_nor_keeps_it() -> None:
    made = await steered()
    watching = asyncio.create_task(seen(made.run, keeps=False))
    await settle()
    await left(made.run, keeps=False)
    assert not made.task.done()
    await left(made.run)
    assert made.task.cancelled()
    with pytest.raises(GatewayError):
        await watching


async def test_a_detached_run_continues_without_followers() -> None:
    made = await steered(is_detached=True)
    await left(made.run)
    made.say("a")
    made.end.set_result(None)
    await settle()
    assert made.run.is_over and made.run.error is None
    assert await seen(made.run) == [TextDelta("a")]


async def test_a_run_that_is_stopped_ends_its_followers() -> None:
    made = await steered()
    follower = asyncio.create_task(seen(made.run))
    await settle()
    made.run.cancel()
    with pytest.raises(GatewayError, match="was stopped"):
        await follower


@given(st.lists(st.sampled_from(["say", "join", "turn"]), max_size=30))
def test_no_event_is_lost_or_doubled_however_they_interleave(script: list[str]) -> None:
    async def work() -> None:
        made = await steered(is_detached=True)
        followers: list[asyncio.Task[list[RunEvent]]] = []
        count = 0
        for step in script:
            if step == "say":
                made.say(str(count))
                count += 1
            elif step == "join":
                followers.append(asyncio.create_task(seen(made.run)))
            else:
                await settle()
        made.end.set_result(None)
        for events in await asyncio.gather(*followers):
            assert events == [TextDelta(str(number)) for number in range(count)]

    asyncio.run(work())
