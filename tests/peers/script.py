"""The steps of a scripted server, one small value per action on a connection.

A script is a sequence of these; `upstream` performs them, `faults` has ready-made ones. They are plain data:
they know no socket, so a script can be built, compared and printed anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Write the bytes; done once the kernel has taken them all, so a peer that does not read holds it up."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the bytes in slices of `size`, `pause` seconds apart: latency, low bandwidth, split characters.

    With a pause of 0 each slice is its own segment, but a slow reader may still see several at once.
    """

    data: bytes
    size: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send the same bytes again and again, `pause` seconds apart, `times` times or until the peer leaves."""

    data: bytes
    pause: float
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for an event, or for a number of seconds."""

    until: asyncio.Event | float


@dataclass(frozen=True, slots=True)
class SetEvent:
    """Set an event: the script got here."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Wait until the whole request body has arrived (reading resumes if it was stopped)."""


@dataclass(frozen=True, slots=True)
class DontReadBody:
    """Stop reading from the socket, so that the peer's writes back up.

    A close by the peer is not seen while this lasts: until the next ReadBody, or the end of the script.
    """


@dataclass(frozen=True, slots=True)
class Hold:
    """Do nothing until `FakeUpstream.release()`; the script ends there if the peer closes first."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN and keep reading (not possible with TLS)."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what is left, then FIN; the last step that counts."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST (SO_LINGER 0); the last step that counts. What the peer has not read yet may be lost to it."""


Step = Send | Drip | Trickle | Wait | SetEvent | ReadBody | DontReadBody | Hold | HalfClose | Close | Reset
Script = Sequence[Step]
