"""Decides for how long a client connection may wait for its client, and what happens when that time is over.

Must not read a clock: durations are passed in, in seconds.
"""

from __future__ import annotations

from enum import IntEnum

from clawgate.relay.downstream.request_parser import ClientLimits

LINGER_SECONDS = 2.0
"""How long the rest of a rejected request is read and discarded, so that the response is not lost in a reset
(RFC 9112 section 9.6)."""

IDLE_GRACE_SECONDS = 1.0
"""How long a connection without a request stays open while the process stops: one may be on its way already."""

ERROR_READ_SECONDS = 0.5
"""How long a broken end waits behind an error event: the fetch of JavaScript throws away what its reader has not taken
when the connection ends (measured with Node 26: the message becomes "terminated")."""


class Phase(IntEnum):
    """What a client connection waits for."""

    FIRST_REQUEST = 0
    NEXT_REQUEST = 1
    """Any request but the first of a connection."""
    HEAD = 2
    """The rest of a request head."""
    BODY = 3
    """The rest of a request body, which nothing keeps the client from sending."""
    UPSTREAM = 4
    """Not for the client: the limits of the exchange apply."""
    RESPONSE_READ = 5
    """The client has to read what was sent."""
    LINGERING = 6
    """The client has to close: its request was rejected while it may still be sending, or its response is broken."""
    CLOSING = 7
    """The last bytes have to be sent."""


class Overdue(IntEnum):
    """What happens to a connection that has waited too long."""

    CLOSE = 0
    ABORT = 1
    """End it without sending what is still buffered."""
    REJECT = 2
    """Respond with 408."""


_LIMITS = {
    Phase.FIRST_REQUEST: ("head_seconds", Overdue.CLOSE),
    Phase.NEXT_REQUEST: ("keep_alive_seconds", Overdue.CLOSE),
    Phase.HEAD: ("head_seconds", Overdue.REJECT),
    Phase.BODY: ("body_idle_seconds", Overdue.REJECT),
    Phase.RESPONSE_READ: ("body_idle_seconds", Overdue.ABORT),
    Phase.CLOSING: ("body_idle_seconds", Overdue.ABORT),
}
"""The field of `ClientLimits`, and what happens then."""


def overdue(phase: Phase, waited: float, limits: ClientLimits) -> Overdue | None:
    """Return what happens to a connection that has been in ``phase`` for ``waited`` seconds, or None."""
    if phase is Phase.LINGERING:
        return Overdue.CLOSE if waited >= LINGER_SECONDS else None
    setting, action = _LIMITS.get(phase, (None, None))
    return action if setting is not None and waited >= getattr(limits, setting) else None


class BodyRate:
    """Measures how fast one request body comes, over the time in which only the client keeps it from coming."""

    __slots__ = ("_checked_at", "_limits", "_seconds", "_window_received", "_window_seconds")

    def __init__(self, limits: ClientLimits, received: int, now: float) -> None:
        self._limits = limits
        self._checked_at = now
        self._seconds = 0.0
        self._window_seconds = 0.0
        self._window_received = received

    def problem(self, received: int, now: float, *, awaits_client: bool) -> str | None:
        """Return what is wrong with a body of which ``received`` bytes are here, or None.

        ``awaits_client`` is whether the client could have sent more since the last call.
        """
        passed, self._checked_at = now - self._checked_at, now
        if not awaits_client:
            return None
        limits = self._limits
        self._seconds += passed
        self._window_seconds += passed
        if self._seconds >= limits.body_seconds:
            return f"the body did not come within {limits.body_seconds:g} s"
        if self._window_seconds >= limits.body_rate_seconds:
            if received - self._window_received < limits.body_rate * self._window_seconds:
                return f"the body came at less than {limits.body_rate} bytes per second"
            self._window_seconds, self._window_received = 0.0, received
        return None


class UnsentBytes:
    """Measures how fast a client reads: ``unsent`` bytes wait for it, in our buffer and in the kernel's."""

    __slots__ = ("_read", "_unsent")

    def __init__(self, unsent: int) -> None:
        self._unsent = unsent
        self._read = 0

    def note(self, unsent: int) -> None:
        """So many bytes wait now."""
        self._read += max(self._unsent - unsent, 0)
        self._unsent = unsent

    def progressed(self, seconds: float, limits: ClientLimits) -> bool:
        """Whether the client has read at the least rate of a body since the last call, ``seconds`` ago."""
        read, self._read = self._read, 0
        return read >= limits.body_rate * seconds
