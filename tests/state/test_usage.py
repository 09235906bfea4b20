from __future__ import annotations

from decimal import Decimal

from clawgate.state.records import ModelUsage, UsageRow
from clawgate.state.store import Store
from tests.state.runs import run

DAY = 86_400.0


def used(cost: str | None, model: str = "m") -> ModelUsage:
    return ModelUsage(
        provider="p",
        model=model,
        input_tokens=10,
        output_tokens=5,
        cached_tokens=2,
        cost=None if cost is None else Decimal(cost),
    )


async def test_costs_add_up_exactly(store: Store) -> None:
    for number in range(10):
        await store.commit(
            run(f"r{number}", keeps_session=False, usage=(used("0.1"), used("0.000000000001")))
        )
    (row,) = await store.usage("agent")
    assert row == UsageRow(
        key="main",
        runs=10,
        input_tokens=200,
        output_tokens=100,
        cached_tokens=40,
        cost=Decimal("1.00000000001"),
        unpriced_calls=0,
    )


async def test_what_has_no_known_price_is_counted_and_not_free(store: Store) -> None:
    await store.commit(run(usage=(used(None), used("0"), used("1", model="other"))))
    rows = {row.key: row for row in await store.usage("model")}
    assert (rows["m"].cost, rows["m"].unpriced_calls) == (Decimal(0), 1)
    assert (rows["other"].cost, rows["other"].unpriced_calls) == (Decimal(1), 0)


async def test_the_sums_are_by_any_key_and_between_two_times(store: Store) -> None:
    for number, caller in enumerate(["ann", "bob", "ann"]):
        await store.commit(
            run(
                f"r{number}", caller=caller, keeps_session=False, finished_at=number * DAY, usage=(used("1"),)
            )
        )
    assert [(row.key, row.runs) for row in await store.usage("caller")] == [("ann", 2), ("bob", 1)]
    assert [row.key for row in await store.usage("day")] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert [row.key for row in await store.usage("day", since=DAY, until=2 * DAY)] == ["1970-01-02"]
    assert [row.key for row in await store.usage("provider")] == ["p"]


async def test_a_run_is_known_by_the_model_that_served_it(store: Store) -> None:
    await store.commit(run("r1", provider="p", model="m"))
    await store.commit(run("r2", session="t"))
    assert [await store.served_by(name) for name in ("r1", "r2", "r3")] == [
        ("p", "m"),
        (None, None),
        (None, None),
    ]
