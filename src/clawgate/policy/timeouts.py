"""Decides whether an exchange has exceeded one of its four time limits.

Must not read a clock: all times are passed in, in seconds of one clock. The first row that applies names the limit;
``total`` applies to every exchange, from its start.

==============================================  ==========  =================================
the exchange                                    limit       counts from
==============================================  ==========  =================================
connects                                        connect     the start of the dial
has content of the response, waits for more     idle        the last byte that moved
has sent the whole request                      first_byte  the end of the request
sends a request that is not read                idle        the last byte that moved
waits for the client                            (none)
==============================================  ==========  =================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LimitName = Literal["connect", "first_byte", "idle", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Limits in seconds. Sized for reasoning models, which may think for minutes before the first token."""

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0
    total: float = 3600.0

    def shortest(self) -> float:
        """Return the shortest of the four: how often time has to be checked."""
        return min(self.connect, self.first_byte, self.idle, self.total)


@dataclass(slots=True)
class Timestamps:
    """The times of one exchange.

    ``connect_started_at`` is None unless a dial is under way, ``request_sent_at`` None before the whole request was
    written; ``progress_at`` is when a byte last moved. ``response_started`` is whether the first byte of content has
    come (comments of an event stream are none).
    """

    started_at: float
    progress_at: float
    connect_started_at: float | None = None
    request_sent_at: float | None = None
    response_started: bool = False


def expired_timeout(
    times: Timestamps, limits: TimeLimits, now: float, *, upstream_stalled: bool
) -> LimitName | None:
    """Return the name of the limit that was exceeded, the most specific first; None if none was.

    ``upstream_stalled`` is whether the exchange waits for the upstream: not while the client does not send the rest of
    its request, or does not read the response.
    """
    if times.connect_started_at is not None:
        if now - times.connect_started_at >= limits.connect:
            return "connect"
    elif times.response_started:
        if upstream_stalled and now - times.progress_at >= limits.idle:
            return "idle"
    elif times.request_sent_at is not None:
        if now - times.request_sent_at >= limits.first_byte:
            return "first_byte"
    elif upstream_stalled and now - times.progress_at >= limits.idle:
        return "idle"
    return "total" if now - times.started_at >= limits.total else None
