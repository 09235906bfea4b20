"""Distinguishes the events of a stream that carry content from those that only keep the connection alive.

A proxy that sends ``: ping`` or ``event: ping`` every few seconds proves that it is alive, not that the model works:
comments, pings, blank lines and events without data are no progress.
"""

from __future__ import annotations

from collections.abc import Iterable

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseProgress
from clawgate.wire.anthropic.stream_end import LONGEST_KEEPALIVE, is_keepalive
from clawgate.wire.sse.reader import Event, EventReader

KEEPALIVE_LIMIT = 1_048_576
"""The most bytes of comments and pings that a stream may send without an event between them."""


def note_events(progress: ResponseProgress, events: Iterable[Event], reader: EventReader) -> None:
    """Record what a read of a stream brought, of which ``reader`` holds an event that is not complete.

    Raises `UpstreamMalformed` for a stream of nothing but keep-alives.
    """
    for event in events:
        if is_keepalive(event):
            progress.keepalive_bytes += len(event.raw)
        else:
            progress.note_content()
    if reader.open_bytes > LONGEST_KEEPALIVE and not reader.is_in_comment:
        progress.note_content()  # a large event has begun, although its end is not here yet
    if progress.keepalive_bytes + (reader.open_bytes if reader.is_in_comment else 0) > KEEPALIVE_LIMIT:
        raise UpstreamMalformed(
            f"the upstream sent over {KEEPALIVE_LIMIT} bytes of comments and pings without an event"
        )


def has_content(events: bytes) -> bool:
    """Whether complete events carry content."""
    return not all(map(is_keepalive, EventReader().feed(events)))
