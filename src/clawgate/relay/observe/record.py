"""What is remembered of an exchange once it is over? Never its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CLIENT_LEFT = 499
"""Logged when the client went away first; nginx's number, which log readers know. It is never sent."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One finished exchange. Times are seconds since the request's head; ``first_byte`` None: no answer began.

    ``code`` and ``reason`` are our own error's, None where the upstream's answer came through whole; ``sent`` counts
    all bytes of the answer, its head and framing included; ``served`` is ``provider/model`` of the last that was asked,
    where the gateway had to choose.
    """

    method: bytes
    path: bytes
    caller: str
    model: str | None
    status: int
    code: str | None
    sent: int
    first_byte: float | None
    total: float
    reason: str | None = None
    served: str | None = None


Observer = Callable[[RequestRecord], None]
