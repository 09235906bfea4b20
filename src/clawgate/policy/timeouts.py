"""Has an exchange taken too long, and whose time ran out? Four named limits, judged from times that are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LimitName = Literal["connect", "first_byte", "idle", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Seconds. Sized for reasoning models, which may think for minutes before the first token."""

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0
    total: float = 3600.0

    def shortest(self) -> float:
        """The shortest of the four: how finely time has to be watched."""
        return min(self.connect, self.first_byte, self.idle, self.total)


@dataclass(slots=True)
class Timestamps:
    """When things happened to one exchange, in seconds of one clock.

    ``connecting`` is when the dial began, None when none is under way; ``asked`` is when the upstream had been
    given the whole request, None before; ``answered`` is whether the first real byte of the answer is here
    (comments of an event stream are not); ``progress`` is when a byte last moved.
    """

    begun: float
    progress: float
    connecting: float | None = None
    asked: float | None = None
    answered: bool = False


def expired_timeout(
    times: Timestamps, limits: TimeLimits, now: float, *, upstream_stalled: bool
) -> LimitName | None:
    """The name of the limit that has run out, the most telling one first.

    ``upstream_stalled`` is whether a missing byte is the upstream's doing: not while the client is the one who
    does not send the rest of its request or does not read the answer.
    """
    if times.connecting is not None:
        if now - times.connecting >= limits.connect:
            return "connect"
    elif times.answered:
        if upstream_stalled and now - times.progress >= limits.idle:
            return "idle"
    elif times.asked is not None:
        if now - times.asked >= limits.first_byte:
            return "first_byte"
    elif upstream_stalled and now - times.progress >= limits.idle:
        return "idle"
    return "total" if now - times.begun >= limits.total else None
