"""A minute is any sixty seconds, a refused request is not counted, and everything that entered is let go."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.errors import ConcurrencyLimitExceeded, EgressLimitExceeded, RateLimitExceeded
from clawgate.policy import rate_limit
from clawgate.policy.rate_limit import WINDOW_SECONDS, DestinationLimiter, RateLimiter, RateRule


def refused(limiter: RateLimiter, name: str, now: float) -> RateLimitExceeded:
    with pytest.raises(RateLimitExceeded) as caught:
        limiter.acquire(name, now)
    return caught.value


def test_no_rule_refuses_nothing() -> None:
    limiter = RateLimiter(RateRule())
    for _ in range(1000):
        limiter.acquire("a", 0)
    assert limiter.in_flight("a") == 1000


def test_concurrency_is_counted_in_and_out() -> None:
    limiter = RateLimiter(RateRule(concurrent=2))
    limiter.acquire("a", 0)
    limiter.acquire("a", 0)
    error = refused(limiter, "a", 0)
    assert type(error) is ConcurrencyLimitExceeded and error.retry_after == 1 and "'a'" in error.message
    assert limiter.in_flight("a") == 2
    limiter.release("a")
    limiter.acquire("a", 0)
    limiter.release("a")
    limiter.release("a")
    assert limiter.in_flight("a") == 0


def test_an_end_too_many_makes_no_room() -> None:
    limiter = RateLimiter(RateRule(concurrent=1))
    limiter.release("a")
    limiter.release("a")
    limiter.acquire("a", 0)
    assert limiter.in_flight("a") == 1
    refused(limiter, "a", 0)


def test_holders_are_counted_apart() -> None:
    limiter = RateLimiter(RateRule(concurrent=1, per_minute=1))
    limiter.acquire("a", 0)
    limiter.acquire("b", 0)
    assert (limiter.in_flight("a"), limiter.in_flight("b"), limiter.in_flight("c")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("now", "retry_after"), [(0.0, 60), (0.5, 60), (1.0, 59), (59.0, 1), (59.5, 1), (59.999, 1), (60.0, None)]
)
def test_the_window_ends_exactly_sixty_seconds_after_the_oldest(now: float, retry_after: int | None) -> None:
    """Retry-After is whole seconds, rounded up, and coming back then is never refused."""
    limiter = RateLimiter(RateRule(per_minute=2))
    limiter.acquire("a", 0)
    limiter.acquire("a", 0)
    if retry_after is None:
        limiter.acquire("a", now)
        return
    error = refused(limiter, "a", now)
    assert type(error) is RateLimitExceeded and error.retry_after == retry_after
    limiter.acquire("a", now + retry_after)


def test_the_window_slides() -> None:
    """Two at second 0 and 50 leave room for one at 60 and for none at 61."""
    limiter = RateLimiter(RateRule(per_minute=2))
    limiter.acquire("a", 0)
    limiter.acquire("a", 50)
    limiter.acquire("a", 60)
    assert refused(limiter, "a", 61).retry_after == 49


def test_a_refused_request_is_not_counted() -> None:
    """Neither against the minute nor as running, whichever limit refused it."""
    limiter = RateLimiter(RateRule(concurrent=1, per_minute=2))
    limiter.acquire("a", 0)
    for _ in range(10):
        assert isinstance(refused(limiter, "a", 1), ConcurrencyLimitExceeded)
    limiter.release("a")
    limiter.acquire("a", 2)
    limiter.release("a")
    for _ in range(10):
        assert type(refused(limiter, "a", 3)) is RateLimitExceeded
    assert limiter.in_flight("a") == 0
    limiter.acquire("a", 60)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.lists(st.floats(0, 40), max_size=50))
def test_never_more_than_the_rule_in_any_window(most: int, waits: list[float]) -> None:
    """And never fewer: whoever is refused has that many within the last sixty seconds."""
    limiter, now = RateLimiter(RateRule(per_minute=most)), 0.0
    passed: list[float] = []
    for wait in waits:
        now += wait
        recent = [at for at in passed if now - at < WINDOW_SECONDS]
        if len(recent) >= most:
            refused(limiter, "a", now)
        else:
            limiter.acquire("a", now)
            passed.append(now)


def full(limiter: DestinationLimiter, destination: str, limit: int, now: float) -> EgressLimitExceeded:
    with pytest.raises(EgressLimitExceeded) as caught:
        limiter.acquire(destination, limit, now)
    return caught.value


def test_a_destination_takes_the_connections_of_a_minute_at_once_and_then_as_its_bucket_fills() -> None:
    limiter = DestinationLimiter()
    for _ in range(6):
        limiter.acquire("10.0.0.1:80", 6, 0.0)
    error = full(limiter, "10.0.0.1:80", 6, 0.0)
    assert error.retry_after == 10 and "network.connectionsPerMinute" in error.message
    assert full(limiter, "10.0.0.1:80", 6, 9.0).retry_after == 1
    limiter.acquire("10.0.0.1:80", 6, 10.0)
    full(limiter, "10.0.0.1:80", 6, 10.0)


def test_a_connection_that_was_refused_takes_nothing() -> None:
    limiter = DestinationLimiter()
    limiter.acquire("a:1", 1, 0.0)
    for second in range(60):
        full(limiter, "a:1", 1, float(second))
    limiter.acquire("a:1", 1, 60.0)


def test_destinations_have_buckets_of_their_own_and_none_without_a_limit() -> None:
    limiter = DestinationLimiter()
    for _ in range(100):
        limiter.acquire("a:1", None, 0.0)
    limiter.acquire("a:1", 1, 0.0)
    limiter.acquire("a:2", 1, 0.0)
    full(limiter, "a:1", 1, 0.0)


def test_a_scan_of_many_destinations_takes_no_memory_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_MOST_DESTINATIONS", 10)
    limiter = DestinationLimiter()
    for port in range(100):
        limiter.acquire(f"10.0.0.1:{port}", 1, 0.0)
    assert len(limiter._buckets) == 10
    full(limiter, "10.0.0.1:99", 1, 0.0)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.lists(st.floats(0, 40), max_size=40))
@example(1, [4.951802295462945, 0.0])
def test_who_waits_as_it_was_told_gets_a_connection(limit: int, waits: list[float]) -> None:
    limiter, now = DestinationLimiter(), 0.0
    for wait in waits:
        now += wait
        try:
            limiter.acquire("a:1", limit, now)
        except EgressLimitExceeded as error:
            now += error.retry_after or 0
            limiter.acquire("a:1", limit, now)
