"""Each phase of a client connection has its limit and its end; the rate of a body counts the client's time alone."""

from __future__ import annotations

import pytest

from clawgate.relay.downstream.client_timeouts import (
    LINGER_SECONDS,
    BodyRate,
    Overdue,
    Phase,
    UnsentBytes,
    overdue,
)
from clawgate.relay.downstream.request_parser import ClientLimits

LIMITS = ClientLimits(
    head_seconds=3,
    body_idle_seconds=6,
    keep_alive_seconds=7,
    body_seconds=100,
    body_rate=10,
    body_rate_seconds=20,
)


@pytest.mark.parametrize(
    ("phase", "limit", "action"),
    [
        (Phase.FIRST_REQUEST, 3, Overdue.CLOSE),
        (Phase.NEXT_REQUEST, 7, Overdue.CLOSE),
        (Phase.HEAD, 3, Overdue.REJECT),
        (Phase.BODY, 6, Overdue.REJECT),
        (Phase.RESPONSE_READ, 6, Overdue.ABORT),
        (Phase.LINGERING, LINGER_SECONDS, Overdue.CLOSE),
        (Phase.CLOSING, 6, Overdue.ABORT),
    ],
)
def test_each_phase_has_a_limit(phase: Phase, limit: float, action: Overdue) -> None:
    assert overdue(phase, limit - 0.01, LIMITS) is None
    assert overdue(phase, limit, LIMITS) is action


def test_only_waiting_for_the_upstream_has_none() -> None:
    """The exchange has limits of its own."""
    unlimited = [phase for phase in Phase if overdue(phase, 1e9, LIMITS) is None]
    assert unlimited == [Phase.UPSTREAM]


def rate() -> BodyRate:
    return BodyRate(LIMITS, 0, 1000.0)


def test_a_body_is_fast_enough_at_the_rate() -> None:
    body = rate()
    for second in range(1, 100):
        assert body.problem(10 * second, 1000.0 + second, awaits_client=True) is None


def test_a_slow_body_is_a_problem_after_one_window() -> None:
    body = rate()
    for second in range(1, 20):
        assert body.problem(9 * second, 1000.0 + second, awaits_client=True) is None
    assert body.problem(180, 1020.0, awaits_client=True) == "the body came at less than 10 bytes per second"


def test_a_fast_beginning_earns_no_slow_end() -> None:
    """11 MB at once and then a byte now and then are found out in the second window."""
    body = rate()
    assert body.problem(11_000_000, 1020.0, awaits_client=True) is None
    assert body.problem(11_000_010, 1040.0, awaits_client=True) is not None


def test_time_in_which_the_client_may_not_send_does_not_count() -> None:
    body = rate()
    for second in range(1, 1000):
        assert body.problem(0, 1000.0 + second, awaits_client=False) is None
    assert body.problem(0, 2000.0, awaits_client=True) is None
    assert body.problem(0, 2018.0, awaits_client=True) is None
    assert body.problem(0, 2019.0, awaits_client=True) is not None


def test_a_body_has_a_limit_as_a_whole() -> None:
    body = rate()
    for second in range(1, 100):
        assert body.problem(1000 * second, 1000.0 + second, awaits_client=True) is None
    assert body.problem(100_000, 1100.0, awaits_client=True) == "the body did not come within 100 s"


def test_a_client_that_reads_slowly_makes_progress() -> None:
    """At the least rate, over the time that passed; what is written meanwhile takes nothing back."""
    waiting = UnsentBytes(1000)
    waiting.note(950)
    waiting.note(5000)
    waiting.note(4990)
    assert waiting.progressed(6, LIMITS)


@pytest.mark.parametrize("left", [1000, 941, 2000])
def test_a_client_that_reads_next_to_nothing_makes_none(left: int) -> None:
    waiting = UnsentBytes(1000)
    waiting.note(left)
    assert not waiting.progressed(6, LIMITS)


def test_progress_counts_once() -> None:
    waiting = UnsentBytes(1000)
    waiting.note(0)
    assert waiting.progressed(6, LIMITS) and not waiting.progressed(6, LIMITS)
