"""The memory of request bodies is bounded, and neither a slow upload nor a large one keeps others from being read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import Overloaded
from clawgate.relay.exchange import body_budget
from clawgate.relay.exchange.body_budget import TURN_BYTES_PER_SECOND, WAIT_SECONDS, BodyBufferBudget
from tests.e2e.stand import PATH, serving, until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.relay.fakes import FakeClock

LARGE = TURN_BYTES_PER_SECOND


@pytest.fixture(autouse=True, scope="module")
def no_body_is_small() -> Iterator[None]:
    """So that a few bytes are enough to show who waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body_budget, "SMALL_BYTES", 0)
        yield


class Body:
    """A body that is read as the budget allows."""

    def __init__(self, budget: BodyBufferBudget) -> None:
        self.budget = budget
        self.size = 0
        self.is_read = True
        self.error: Overloaded | None = None

    def grow(self, count: int) -> None:
        self.size += count
        if not self.budget.may_read(self, self.size):
            self.is_read = False

    def resume_body(self) -> None:
        assert not self.is_read
        self.is_read = True

    def reject_body(self, error: Overloaded) -> None:
        self.error, self.is_read, self.size = error, False, 0
        self.budget.release(self)  # as an exchange does that ends


def make(limit: int = 10, largest: int = 100) -> tuple[BodyBufferBudget, FakeClock]:
    clock = FakeClock()
    return BodyBufferBudget(limit, largest, clock), clock


def bodies(budget: BodyBufferBudget, *sizes: int) -> list[Body]:
    made = [Body(budget) for _ in sizes]
    for body, size in zip(made, sizes, strict=True):
        body.grow(size)
    return made


def test_within_the_limit_all_are_read() -> None:
    budget, _ = make()
    assert all(body.is_read for body in bodies(budget, 5, 5)) and budget.used == 10


def test_beyond_the_limit_large_bodies_are_read_one_at_a_time() -> None:
    budget, _ = make()
    first, second = bodies(budget, 6, 6)
    first.grow(6)
    assert [first.is_read, second.is_read] == [False, True]
    second.grow(6)
    assert second.is_read and budget.used == 24
    budget.release(second)
    assert [first.is_read, budget.used] == [True, 12]


def test_a_small_body_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow upload does not hold up the conversations of others; what grows beyond that waits."""
    monkeypatch.setattr(body_budget, "SMALL_BYTES", 5)
    budget, _ = make()
    _, small = bodies(budget, 20, 3)
    small.grow(2)
    assert small.is_read
    small.grow(1)
    assert not small.is_read


def test_all_go_on_once_there_is_room() -> None:
    budget, _ = make()
    first, second, third = bodies(budget, 11, 2, 3)
    assert [body.is_read for body in (first, second, third)] == [True, False, False]
    budget.release(first)
    assert second.is_read and third.is_read
    for body in (second, third):
        budget.release(body)
        budget.release(body)
    assert budget.used == 0


def test_a_complete_body_counts_until_it_is_released() -> None:
    """It is in memory as long as its request may have to be sent again."""
    budget, _ = make()
    first, second = bodies(budget, 20, 5)
    budget.complete(first)
    assert budget.used == 25 and second.is_read, "the turn is free"
    third = Body(budget)
    third.grow(1)
    assert not third.is_read
    budget.release(first)
    assert budget.used == 6 and third.is_read


def test_a_body_without_progress_loses_its_turn() -> None:
    budget, clock = make()
    slow, other = bodies(budget, 20, 5)
    clock.time += 0.9
    budget.check_timeouts(clock.time)
    assert [slow.is_read, other.is_read] == [True, False]
    clock.time += 0.1
    budget.check_timeouts(clock.time)
    assert [slow.is_read, other.is_read] == [True, True]
    slow.grow(1)
    assert [slow.is_read] == [False]
    budget.release(other)
    assert [slow.is_read] == [True]


def test_a_body_that_comes_fast_keeps_its_turn() -> None:
    budget, clock = make(largest=10 * LARGE)
    fast, other = bodies(budget, 20, 5)
    for _ in range(8):
        clock.time += 1
        fast.grow(LARGE)
        budget.check_timeouts(clock.time)
    assert [fast.is_read, other.is_read] == [True, False]
    clock.time += 1
    budget.check_timeouts(clock.time)
    assert [other.is_read] == [True]


def test_a_turn_lasts_while_no_other_body_waits() -> None:
    budget, clock = make()
    (slow,) = bodies(budget, 20)
    for _ in range(100):
        clock.time += 10
        slow.grow(0)
        budget.check_timeouts(clock.time)
    assert slow.is_read


def test_slow_bodies_take_turns_behind_each_other() -> None:
    """Ten slow ones cost a new one a second each, once; nobody waits for the end of any of them."""
    budget, clock = make(limit=10, largest=1000)
    slow = bodies(budget, *[20] * 10)
    (new,) = bodies(budget, 5)
    for _ in range(10):
        assert not new.is_read
        clock.time += 1
        budget.check_timeouts(clock.time)
        for body in slow:
            if body.is_read:
                body.grow(1)
    assert new.is_read


def test_a_body_that_waits_too_long_is_rejected() -> None:
    budget, clock = make(largest=1000 * LARGE)
    fast, other = bodies(budget, 20, 5)
    for _ in range(int(WAIT_SECONDS)):
        assert other.error is None
        clock.time += 1
        fast.grow(LARGE)
        budget.check_timeouts(clock.time)
    assert other.error is not None and other.error.retry_after == 1
    assert fast.error is None and budget.used == fast.size


def test_without_memory_the_body_that_has_not_grown_for_longest_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that new requests do not pay for stalled uploads; also where all of them are small."""
    monkeypatch.setattr(body_budget, "SMALL_BYTES", 50)
    budget, _ = make(limit=100, largest=50)
    stalled, growing = bodies(budget, 50, 50)
    new = bodies(budget, 20, 20)
    growing.grow(0)
    (last,) = bodies(budget, 20)
    assert stalled.error is not None and stalled.error.code == "overloaded"
    assert growing.is_read and last.is_read and all(body.is_read for body in new)
    assert budget.used == 110


def test_where_complete_bodies_fill_the_memory_a_new_one_is_rejected() -> None:
    budget, _ = make(limit=10, largest=10)
    for body in bodies(budget, 5, 5, 10):
        budget.complete(body)
    (new,) = bodies(budget, 1)
    assert new.error is not None and budget.used == 20
    assert not budget.has_room


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.sampled_from(["grow", "end", "done", "tick"]))
    )
)
def test_memory_is_bounded_and_one_body_is_always_read(steps: list[tuple[int, int, str]]) -> None:
    """Whatever happens in whichever order."""
    budget, clock = make(limit=10, largest=20)
    current = [Body(budget) for _ in range(4)]
    complete: list[Body] = []
    for which, count, what in steps:
        body = current[which]
        if body.error is not None or what == "end":
            budget.release(body)
            current[which] = Body(budget)
        elif what == "tick":
            clock.time += count
            budget.check_timeouts(clock.time)
        elif what == "done" and body.is_read and body.size:
            budget.complete(body)
            complete.append(body)
            current[which] = Body(budget)
        elif what == "grow" and body.is_read:
            body.grow(count)
        receiving = [body for body in current if body.size]
        assert budget.used == sum(body.size for body in [*receiving, *complete]) <= 10 + 20 + 9
        assert not receiving or any(body.is_read for body in receiving)
        assert budget.used > 10 or all(body.is_read for body in receiving)


async def test_large_bodies_wait_for_each_other_and_all_are_served() -> None:
    """A server that has to know their model reads one of them at a time beyond its memory."""
    body = json.dumps({"model": "a", "messages": [], "filler": "x" * 180_000}).encode()
    async with (
        FakeUpstream(faults.json_response({"ok": True})) as upstream,
        serving(
            "server", upstream.url, models=["a"], max_body_mb=0.2, client_limits={"buffered_bytes": 200_000}
        ) as stand,
        await stand.client() as first,
        await stand.client() as second,
    ):
        budget = stand.role.connections.context.body_budget
        head = f"POST {PATH} HTTP/1.1\r\nHost: {stand.url.removeprefix('http://')}\r\n"
        head += "Content-Type: application/json\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in stand.fields
        )
        for client in (first, second):
            await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body[:120_000])
        await until(lambda: budget.used > 240_000, lambda: budget.used)
        await first.send(body[120_000:])
        assert (await first.response()).json() == {"ok": True}
        await second.send(body[120_000:])
        assert (await second.response()).json() == {"ok": True}
        assert budget.used == 0 and [len(request.body) for request in upstream.requests] == [len(body)] * 2
