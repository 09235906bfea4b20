"""Bodies that have to be whole first share one bound, and one of them always comes to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.relay.exchange import body_budget as held_bodies
from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.testing.http import faults
from clawgate.testing.http.upstream import FakeUpstream
from tests.e2e.stand import PATH, run, serving, until


@pytest.fixture(autouse=True, scope="module")
def no_body_is_small() -> Iterator[None]:
    """So that a few bytes are enough to show who waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_bodies, "SMALL_BYTES", 0)
        yield


class Body:
    """A body that goes on when it is told to."""

    def __init__(self) -> None:
        self.size = 0
        self.goes_on = True

    def body_may_go_on(self) -> None:
        self.goes_on = True


def grow(held: BodyBufferBudget, body: Body, by: int) -> None:
    body.size += by
    body.goes_on = held.may_go_on(body, body.size)


def test_within_the_bound_all_are_read() -> None:
    held, bodies = BodyBufferBudget(10), [Body(), Body()]
    for body in bodies:
        grow(held, body, 5)
    assert all(body.goes_on for body in bodies) and held.total == 10


def test_beyond_the_bound_only_the_oldest_is_read_on() -> None:
    held, oldest, other = BodyBufferBudget(10), Body(), Body()
    grow(held, oldest, 6)
    grow(held, other, 6)
    grow(held, oldest, 6)
    assert oldest.goes_on and not other.goes_on


def test_a_small_body_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow upload does not hold up the conversations of others; what grows beyond that waits."""
    monkeypatch.setattr(held_bodies, "SMALL_BYTES", 5)
    held, slow, small = BodyBufferBudget(10), Body(), Body()
    grow(held, slow, 20)
    grow(held, small, 3)
    grow(held, small, 2)
    assert small.goes_on
    grow(held, small, 1)
    assert not small.goes_on


def test_where_one_is_done_those_that_wait_go_on() -> None:
    held, oldest, other = BodyBufferBudget(10), Body(), Body()
    grow(held, oldest, 6)
    grow(held, other, 6)
    held.let_go(oldest)
    assert other.goes_on and held.total == 6
    held.let_go(other)
    held.let_go(other)
    assert held.total == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), max_size=60))
def test_somebody_is_always_read(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever comes in whichever order: who waits has an older one in front that does not."""
    held, bodies = BodyBufferBudget(10), [Body() for _ in range(4)]
    there: list[Body] = []
    for which, size, ends in steps:
        body = bodies[which]
        if ends and body in there:
            there.remove(body)
            body.size = 0
            held.let_go(body)
        elif body.goes_on:
            if body not in there:
                there.append(body)
            grow(held, body, size)
        assert held.total == sum(one.size for one in there)
        assert not there or there[0].goes_on
        assert held.total > 10 or all(one.goes_on for one in there)


def test_large_bodies_wait_for_each_other_and_all_are_answered() -> None:
    """A server that has to know their model holds no more than about one of them at a time."""
    body = json.dumps({"model": "a", "messages": [], "filler": "x" * 180_000}).encode()

    async def work() -> None:
        async with (
            FakeUpstream(faults.json_answer({"ok": True})) as upstream,
            serving("server", upstream.url, models=["a"], max_body_mb=0.2) as stand,
            await stand.client() as first,
            await stand.client() as second,
        ):
            held = stand.role.connections.context.held
            head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".replace(
                "Host: x", f"Host: {stand.url.removeprefix('http://')}"
            )
            head += "".join(f"{name}: {value}\r\n" for name, value in stand.fields)
            for client in (first, second):
                await client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body[:120_000])
            await until(lambda: held.total == 240_000, lambda: held.total)
            assert len(held._waiting) == 1
            await first.send(body[120_000:])
            assert (await first.response()).json() == {"ok": True}
            await second.send(body[120_000:])
            assert (await second.response()).json() == {"ok": True}
            assert held.total == 0 and [len(request.body) for request in upstream.requests] == [len(body)] * 2

    run(work())
