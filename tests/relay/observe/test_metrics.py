"""Every finished exchange is counted once, where it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.relay.observe.metrics import SECONDS, Histogram, RequestMetrics
from clawgate.relay.observe.record import CLIENT_LEFT, RequestRecord


def record(
    status: int = 200, code: str | None = None, sent: int = 10, first: float | None = 0.1, total: float = 1.0
) -> RequestRecord:
    return RequestRecord(b"POST", b"/v1/x", "alice", "m", status, code, sent, first, total)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (0.0, 0),
        *((bound, at) for at, bound in enumerate(SECONDS)),
        *((bound + 1e-9, at + 1) for at, bound in enumerate(SECONDS)),
        (1e9, len(SECONDS)),
    ],
)
def test_a_duration_falls_into_the_first_bucket_that_holds_it(seconds: float, bucket: int) -> None:
    """Bounds belong to their bucket, as Prometheus' ``le`` has it; beyond the last there is one more."""
    histogram = Histogram()
    histogram.add(seconds)
    assert [at for at, count in enumerate(histogram.counts) if count] == [bucket]


def test_the_bounds_rise() -> None:
    assert list(SECONDS) == sorted(set(SECONDS))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1000), max_size=30))
def test_nothing_is_lost_in_a_histogram(durations: list[float]) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    assert sum(histogram.counts) == len(durations)
    assert histogram.sum == pytest.approx(sum(durations))


def test_requests_are_counted_by_status_and_code() -> None:
    tally = RequestMetrics()
    for one in (record(), record(), record(502, "upstream_closed", sent=5), record(429)):
        tally(one)
    assert tally.requests == {(200, ""): 2, (502, "upstream_closed"): 1, (429, ""): 1}
    assert tally.sent_bytes == 35
    assert sum(tally.total.counts) == 4 and tally.total.sum == pytest.approx(4.0)


def test_an_answer_that_never_began_has_no_first_byte() -> None:
    tally = RequestMetrics()
    tally(record(first=None))
    tally(record(first=0.2))
    assert sum(tally.first_byte.counts) == 1 and tally.first_byte.sum == pytest.approx(0.2)


def test_clients_that_left_are_counted_by_phase() -> None:
    tally = RequestMetrics()
    tally(record(CLIENT_LEFT, "client_left", first=None))
    tally(record(CLIENT_LEFT, "client_left", first=None))
    tally(record(CLIENT_LEFT, "client_left", first=0.3))
    tally(record(504, "upstream_timed_out", first=None))
    assert tally.cancelled == {"waiting": 2, "answer": 1}
