"""The record of one finished request, for logs and metrics. Must not hold content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CLIENT_LEFT = 499
"""The status of a request whose client disconnected first, as in nginx's logs. It is never sent."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One finished request. Times are in seconds since its head."""

    method: bytes
    path: bytes
    """Without the query, which may hold a credential."""
    caller: str
    model: str | None
    """As the client named it."""
    status: int
    code: str | None
    """Of our own error; None where the upstream's response was passed on completely."""
    sent: int
    """Bytes of the response, head and framing included."""
    first_byte: float | None
    """None: no response began."""
    total: float
    reason: str | None = None
    """The message of our own error."""
    served: str | None = None
    """``provider/model`` of the last attempt, where a router chose the upstream."""


Observer = Callable[[RequestRecord], None]
