"""Tracks which side of an exchange has to wait for the other, and pauses reading from the faster one.

The client may have to wait for several reasons at once; it is read again when the last of them is gone.
"""

from __future__ import annotations

from clawgate.relay.interfaces import ClientConnection

UPSTREAM_WRITE = 1
"""The upstream takes the request more slowly than the client sends it."""
BODY_BUDGET = 2
"""The listener's memory for buffered bodies is used up."""
NO_CONNECTION = 4
"""Enough of the body waits for a connection to the upstream."""


class FlowControl:
    """Of one exchange. Reading from the upstream is paused by the exchange, which knows its connection."""

    __slots__ = ("_client", "client_write_paused", "reasons")

    def __init__(self, client: ClientConnection | None) -> None:
        self._client = client
        self.client_write_paused = False
        """Whether the response waits for the client to read."""
        self.reasons = 0
        """Why the client is not read, as a sum of the constants above."""

    @property
    def upstream_write_paused(self) -> bool:
        """Whether the request waits for the upstream to read."""
        return bool(self.reasons & UPSTREAM_WRITE)

    def pause_client(self, reason: int) -> None:
        assert self._client is not None, "an exchange changes only a flow control of its own"
        self.reasons |= reason
        self._client.pause_reading()

    def resume_client(self, reason: int) -> None:
        """``reason`` is gone: read the request again, unless there are others."""
        assert self._client is not None, "an exchange changes only a flow control of its own"
        self.reasons &= ~reason
        if not self.reasons:
            self._client.resume_reading()


FREE = FlowControl(None)
"""Of every exchange in which no side had to wait yet: most never need one of their own. Must not be changed."""
