"""Distinguishes the events of a stream that carry content from those that only keep the connection alive.

A proxy that sends ``: ping`` or ``event: ping`` every few seconds proves that it is alive, not that the model works:
comments, pings, blank lines and events without data are no progress.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseProgress
from clawgate.wire.anthropic.stream_end import LONGEST_KEEPALIVE, is_keepalive
from clawgate.wire.sse.reader import Event, EventReader

HOLD_SECONDS = 240.0
"""How long a head is held back at most for a first event: some clients wait 5 minutes for it (read: Node's fetch)."""
KEEPALIVE_LIMIT = 1_048_576
"""The most bytes of comments and pings that a stream may send without an event between them."""


def note_event(progress: ResponseProgress, event: Event) -> bool:
    """Record a complete event; return whether it carries content.

    Raises `UpstreamMalformed` for a stream of nothing but keep-alives.
    """
    if not is_keepalive(event):
        progress.note_content()
        return True
    progress.keepalive_bytes += len(event.raw)
    _check_keepalives(progress.keepalive_bytes)
    return False


def note_open_event(progress: ResponseProgress, reader: EventReader) -> None:
    """Record what arrived of an event that is not complete: a large one has begun, although its end is not here yet.

    Raises `UpstreamMalformed` for an endless comment.
    """
    if reader.is_in_comment:
        _check_keepalives(progress.keepalive_bytes + reader.open_bytes)
    elif reader.open_bytes > LONGEST_KEEPALIVE:
        progress.note_content()


def _check_keepalives(count: int) -> None:
    if count > KEEPALIVE_LIMIT:
        raise UpstreamMalformed(
            f"the upstream sent over {KEEPALIVE_LIMIT} bytes of comments and pings without an event"
        )


def has_content(events: bytes) -> bool:
    """Whether complete events carry content."""
    return not all(map(is_keepalive, EventReader().feed(events)))
