"""Limits concurrent requests and requests a minute of each caller.

Must not read a clock: ``now`` is in seconds of any clock that only moves forward. The window is exact: a minute is any
sixty seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from clawgate.errors import ConcurrencyLimitExceeded, RateLimitExceeded

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RateRule:
    """The limits of each caller; None is no limit."""

    concurrent: int | None = None
    per_minute: int | None = None


class RateLimiter:
    """Counts the requests of each caller: those in flight, and those that started within the last minute."""

    def __init__(self, rule: RateRule) -> None:
        self._rule = rule
        self._in_flight: dict[str, int] = {}
        self._started: dict[str, deque[float]] = {}

    def acquire(self, name: str, now: float) -> None:
        """Count one request of the caller ``name``. A rejected request is not counted.

        Raises `RateLimitExceeded`, or `ConcurrencyLimitExceeded`.
        """
        in_flight = self._in_flight.get(name, 0)
        limit = self._rule.concurrent
        if limit is not None and in_flight >= limit:
            raise ConcurrencyLimitExceeded(
                f"token '{name}' has {in_flight} requests in flight, the limit; try again when one is done",
                retry_after=1,
            )
        if self._rule.per_minute is not None:
            self._count_minute(name, now, self._rule.per_minute)
        self._in_flight[name] = in_flight + 1

    def release(self, name: str) -> None:
        """One request of ``name`` is over, however it ended."""
        in_flight = self._in_flight.get(name, 0) - 1
        if in_flight > 0:
            self._in_flight[name] = in_flight
        else:
            self._in_flight.pop(name, None)

    def in_flight(self, name: str) -> int:
        return self._in_flight.get(name, 0)

    def _count_minute(self, name: str, now: float, limit: int) -> None:
        started = self._started.setdefault(name, deque(maxlen=limit))
        if len(started) == limit and now - started[0] < WINDOW_SECONDS:
            wait = math.ceil(WINDOW_SECONDS - (now - started[0]))
            raise RateLimitExceeded(
                f"token '{name}' has sent {limit} requests within a minute, the limit; try again in {max(wait, 1)} s",
                retry_after=max(wait, 1),
            )
        started.append(now)
