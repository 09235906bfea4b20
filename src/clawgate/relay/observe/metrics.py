"""Counts requests for metrics. Counting is cheap; `control.metrics` reads the counts when it is scraped."""

from __future__ import annotations

from collections import Counter

from clawgate.relay.observe.record import RequestRecord

SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histograms' buckets; longer durations count in the total alone."""

CANCEL_PHASES = ("waiting", "answer")  # a public name
"""When a client disconnected: before the response began, or within it. The values are public: a label of the metric."""


class Histogram:
    """Counts of durations by bucket, with their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.sum += seconds
        for index, bound in enumerate(SECONDS):
            if seconds <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1


class RequestMetrics:
    """An observer that counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[int, str]] = Counter()  # by status and our error code, '' for none
        self.sent_bytes = 0
        self.first_byte = Histogram()
        self.total = Histogram()
        self.cancelled: Counter[str] = Counter()  # by the phase in which the client disconnected

    def __call__(self, record: RequestRecord) -> None:
        self.requests[record.status, record.code or ""] += 1
        self.sent_bytes += record.sent
        self.total.add(record.total)
        if record.first_byte is not None:
            self.first_byte.add(record.first_byte)
        if record.code == "client_left":
            self.cancelled[CANCEL_PHASES[record.first_byte is not None]] += 1
