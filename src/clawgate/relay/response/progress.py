"""Distinguishes the events of a stream that carry content from those that only keep the connection alive.

A proxy that sends ``: ping`` or ``event: ping`` every few seconds proves that it is alive, not that the model works:
comments, pings, blank lines and events without data are no progress. What opens a response, such as a role, is progress
but nothing that a user sees.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import UpstreamMalformed
from clawgate.relay.interfaces import ResponseProgress
from clawgate.wire.anthropic.stream_end import LONGEST_KEEPALIVE, is_keepalive
from clawgate.wire.json import lenient
from clawgate.wire.openai.stream_end import choice_has_content
from clawgate.wire.sse.reader import Event, EventReader

HOLD_SECONDS = 240.0
"""How long a head is held back at most for a first event: some clients wait 5 minutes for it (read: Node's fetch)."""
KEEPALIVE_LIMIT = 1_048_576
"""The most bytes of comments and pings that a stream may send without an event between them."""

OPENING_LIMIT = 65_536
"""The most bytes of what only opens a response that are held back with the head."""
_OPENINGS = frozenset({"message_start", "response.created", "response.queued", "response.in_progress"})
"""Types of events that open a response, of Anthropic's dialect and of the Responses API."""
_OPENS_PART = {
    "content_block_start": "content_block",
    "content_block_delta": "delta",
    "response.output_item.added": "item",
    "response.content_part.added": "part",
    "response.reasoning_summary_part.added": "part",
}
"""Types of events that begin a part of it, and the member that has the part."""
_NOT_SHOWN = ("type", "id", "status", "role", "annotations", "logprobs")
_object = msgspec.json.Decoder(dict[str, Any])


def only_opens(event: Event) -> bool:
    """Whether an event opens a response and shows nothing of it yet: no text, thinking, call or end."""
    data = lenient.decode(event.data or b"", _object)
    if data is None:
        return False
    kind = lenient.as_word(data.get("type")) or event.name.decode("ascii", "replace")
    if kind in _OPENS_PART:
        shown = data.get(_OPENS_PART[kind])
        return isinstance(shown, dict) and not any(
            value for name, value in shown.items() if name not in _NOT_SHOWN
        )
    choices = data.get("choices")
    if not isinstance(choices, list):
        return kind in _OPENINGS
    return not any(
        not isinstance(one, dict) or one.get("finish_reason") or one.get("text") or choice_has_content(one)
        for one in choices
    )


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
