"""Who is told of the end of an exchange."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.observe.record import RequestRecord


def told(record: RequestRecord) -> None: ...


def shop(*, observes_all: bool) -> ExchangeContext:
    unasked: Any = None
    return ExchangeContext(
        now=lambda: 0.0,
        admission=unasked,
        spawn=unasked,
        observer=told,
        observes_all=observes_all,
        body_limit=1,
        body_budget=BodyBufferBudget(1, 1, lambda: 0.0),
    )


@pytest.mark.parametrize(
    ("status", "ours", "all_of_them", "is_told"),
    [
        (200, False, False, False),
        (200, False, True, True),
        (399, False, False, False),
        (400, False, False, True),
        (200, True, False, True),
    ],
)
def test_an_observer_hears_of_failures_and_of_the_rest_where_it_wants_to(
    status: int, ours: bool, all_of_them: bool, is_told: bool
) -> None:
    """A stream that broke has status 200 and an error of ours."""
    found = shop(observes_all=all_of_them).observer_of(status, ours=ours)
    assert found is (told if is_told else None)
