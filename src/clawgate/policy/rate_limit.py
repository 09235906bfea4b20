"""May this holder send one more request now? Concurrency and requests a minute, counted by token name.

``now`` is seconds of any clock that only moves forward. The window is exact: a minute is any sixty seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from clawgate.errors import ConcurrencyLimitExceeded, RateLimitExceeded

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RateRule:
    """Limits for each holder; None is no limit."""

    concurrent: int | None = None
    per_minute: int | None = None


class RateLimiter:
    """Counts what each holder has under way and has begun within the last minute."""

    def __init__(self, rule: RateRule) -> None:
        self._rule = rule
        self._running: dict[str, int] = {}
        self._begun: dict[str, deque[float]] = {}

    def begin(self, name: str, now: float) -> None:
        """Count one request in, or raise `RateLimitExceeded`; a refused request is not counted."""
        running = self._running.get(name, 0)
        most = self._rule.concurrent
        if most is not None and running >= most:
            raise ConcurrencyLimitExceeded(
                f"token '{name}' has {running} requests under way, the most it may have", retry_after=1
            )
        if self._rule.per_minute is not None:
            self._count_minute(name, now, self._rule.per_minute)
        self._running[name] = running + 1

    def end(self, name: str) -> None:
        """Count one request out, however it ended."""
        running = self._running.get(name, 0) - 1
        if running > 0:
            self._running[name] = running
        else:
            self._running.pop(name, None)

    def running(self, name: str) -> int:
        """How many requests of ``name`` are under way."""
        return self._running.get(name, 0)

    def _count_minute(self, name: str, now: float, most: int) -> None:
        begun = self._begun.setdefault(name, deque(maxlen=most))
        if len(begun) == most and now - begun[0] < WINDOW_SECONDS:
            wait = math.ceil(WINDOW_SECONDS - (now - begun[0]))
            raise RateLimitExceeded(
                f"token '{name}' has used its {most} requests a minute", retry_after=max(wait, 1)
            )
        begun.append(now)
