"""Which of the four limits has run out: row by row, each at its last moment and one before."""

from __future__ import annotations

import pytest

from clawgate.policy.timeouts import LimitName, TimeLimits, Timestamps, expired_timeout

LIMITS = TimeLimits(connect=10, first_byte=600, idle=300, total=3600)

ROWS: list[tuple[Timestamps, float, bool, LimitName | None, str]] = [
    (
        Timestamps(started_at=0, progress_at=0),
        299.9,
        True,
        None,
        "the upstream does not take the request, yet",
    ),
    (Timestamps(started_at=0, progress_at=0), 300, True, "idle", "it has not taken a byte for too long"),
    (
        Timestamps(started_at=0, progress_at=0),
        3599,
        False,
        None,
        "the client is slow with its body: not the upstream's doing",
    ),
    (Timestamps(started_at=0, progress_at=0), 3600, False, "total", "but the whole has its limit"),
    (
        Timestamps(started_at=0, progress_at=3500),
        3600,
        True,
        "total",
        "a byte a minute does not keep it alive",
    ),
    (Timestamps(started_at=0, progress_at=0, connect_started_at=0), 9.99, True, None, "dialling"),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=0),
        10,
        True,
        "connect",
        "dialling for too long",
    ),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=0),
        10,
        False,
        "connect",
        "whatever the client does",
    ),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=3600),
        3609,
        True,
        "total",
        "a late dial is within its own limit",
    ),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=0),
        3600,
        True,
        "connect",
        "the more telling one of two",
    ),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=500),
        501,
        True,
        None,
        "a second dial: idle time is not counted",
    ),
    (
        Timestamps(started_at=0, progress_at=0, connect_started_at=0, request_sent_at=0),
        600,
        True,
        "connect",
        "connect comes before first_byte",
    ),
    (Timestamps(started_at=0, progress_at=0, request_sent_at=0), 599.9, True, None, "thinking"),
    (
        Timestamps(started_at=0, progress_at=0, request_sent_at=0),
        600,
        True,
        "first_byte",
        "thinking for too long",
    ),
    (
        Timestamps(started_at=0, progress_at=0, request_sent_at=0),
        600,
        False,
        "first_byte",
        "whatever the client does",
    ),
    (
        Timestamps(started_at=0, progress_at=599, request_sent_at=0),
        600,
        True,
        "first_byte",
        "comments move bytes and do not reset it",
    ),
    (
        Timestamps(started_at=0, progress_at=0, request_sent_at=100),
        699,
        True,
        None,
        "it runs from the whole request",
    ),
    (
        Timestamps(started_at=0, progress_at=0, request_sent_at=3500),
        3600,
        True,
        "total",
        "the whole ends before it",
    ),
    (
        Timestamps(started_at=0, progress_at=0, request_sent_at=0),
        3600,
        True,
        "first_byte",
        "the more telling one of two",
    ),
    (
        Timestamps(started_at=0, progress_at=50, request_sent_at=0, response_started=True),
        349.9,
        True,
        None,
        "a pause within the answer",
    ),
    (
        Timestamps(started_at=0, progress_at=50, request_sent_at=0, response_started=True),
        350,
        True,
        "idle",
        "a pause for too long",
    ),
    (
        Timestamps(started_at=0, progress_at=50, request_sent_at=0, response_started=True),
        3599,
        False,
        None,
        "the client does not read: not idle",
    ),
    (
        Timestamps(started_at=0, progress_at=50, request_sent_at=0, response_started=True),
        3600,
        False,
        "total",
        "but the whole has its limit",
    ),
    (
        Timestamps(started_at=0, progress_at=50, request_sent_at=0, response_started=True),
        3600,
        True,
        "idle",
        "the more telling one of two",
    ),
    (
        Timestamps(started_at=0, progress_at=3590, request_sent_at=0, response_started=True),
        3600,
        True,
        "total",
        "an answer without end",
    ),
    (
        Timestamps(started_at=0, progress_at=700, request_sent_at=0, response_started=True),
        701,
        True,
        None,
        "answered: first_byte is over",
    ),
    (
        Timestamps(started_at=0, progress_at=0, response_started=True),
        300,
        True,
        "idle",
        "an answer before the whole request",
    ),
    (Timestamps(started_at=1000, progress_at=1000), 1000, True, None, "clocks begin anywhere"),
]


@pytest.mark.parametrize(
    ("times", "now", "stalled", "limit", "why"),
    ROWS,
    ids=[f"{number}: {row[4]}" for number, row in enumerate(ROWS)],
)
def test_the_limit_that_has_run_out(
    times: Timestamps, now: float, stalled: bool, limit: LimitName | None, why: str
) -> None:
    assert expired_timeout(times, LIMITS, now, upstream_stalled=stalled) == limit, why


@pytest.mark.parametrize("name", ["connect", "first_byte", "idle", "total"])
def test_the_shortest_says_how_finely_time_is_watched(name: LimitName) -> None:
    limits = {"connect": 9.0, "first_byte": 9.0, "idle": 9.0, "total": 9.0, name: 0.5}
    assert TimeLimits(**limits).shortest() == 0.5


def test_the_defaults_let_a_model_think() -> None:
    """Ten minutes to the first byte, and no limit shorter than the dial's."""
    assert TimeLimits().first_byte == 600 and TimeLimits().shortest() == TimeLimits().connect
