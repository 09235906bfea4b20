"""Limits concurrent requests and requests a minute of each caller, and connections a minute to each destination.

Must not read a clock: ``now`` is in seconds of any clock that only moves forward. The window of callers is exact: a
minute is any sixty seconds; that of destinations is a bucket, which fills evenly.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from clawgate.errors import ConcurrencyLimitExceeded, EgressLimitExceeded, RateLimitExceeded

WINDOW_SECONDS = 60.0
_MOST_DESTINATIONS = 10_000
_LIMIT_SETTING = "plugins.entries.clawgate.config.network.connectionsPerMinute"


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


_ROUNDING = 1e-9
"""Who waited as long as the error says must not fail by the last bit of a sum."""


class DestinationLimiter:
    """One bucket for each destination, as large as the connections of a minute; a new one is full."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        """What is left, and when it was."""

    def acquire(self, destination: str, limit: int | None, now: float) -> None:
        """Take one connection to ``destination`` out of its bucket. Raises `EgressLimitExceeded`."""
        if limit is None:
            return
        left, at = self._buckets.pop(destination, (float(limit), now))
        left = min(left + (now - at) * limit / WINDOW_SECONDS, float(limit))
        if len(self._buckets) >= _MOST_DESTINATIONS:
            del self._buckets[next(iter(self._buckets))]  # the one that was used least recently
        if left < 1 - _ROUNDING:
            self._buckets[destination] = left, now
            wait = max(math.ceil((1 - left) * WINDOW_SECONDS / limit), 1)
            raise EgressLimitExceeded(
                f"{destination}: {limit} connections within a minute were opened to this private address, the limit; "
                f"try again in {wait} s, or raise {_LIMIT_SETTING}",
                retry_after=wait,
            )
        self._buckets[destination] = left - 1, now
