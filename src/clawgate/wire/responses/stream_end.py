"""Classifies the events of a Responses stream, and detects how the stream ended.

Source: OpenAI's API reference, "Streaming events". A stream ends with the response in its last state:
`response.completed`, `response.incomplete` or `response.failed`; `error` ends it without one. Nothing is to come behind
these. An event is what its name or the type in its data says, since clients read the one or the other.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from clawgate.wire.json.lenient import as_int, as_word, decode
from clawgate.wire.sse.reader import Event


class EventKind(Enum):
    """What an event means to the stream that it is part of."""

    KEEPALIVE = auto()
    """A comment, a blank line, an event without data or a ``keepalive``: no progress."""
    OPENING = auto()
    """The response begins: nothing of what the model wrote."""
    CONTENT = auto()
    FINISHED = auto()
    """The response is complete, or incomplete for a reason that it names."""
    FAILED = auto()
    """The response failed, or the request did."""


KINDS = {
    b"keepalive": EventKind.KEEPALIVE,
    b"response.queued": EventKind.OPENING,
    b"response.created": EventKind.OPENING,
    b"response.in_progress": EventKind.OPENING,
    b"response.completed": EventKind.FINISHED,
    b"response.incomplete": EventKind.FINISHED,
    b"response.failed": EventKind.FAILED,
    b"error": EventKind.FAILED,
}
"""By the names of events; any other one is content."""


class _Data(msgspec.Struct):
    type: object = None
    error: msgspec.Raw = msgspec.Raw(b"")


class _Numbered(msgspec.Struct):
    sequence_number: object = None


_data = msgspec.json.Decoder(_Data)
_numbered = msgspec.json.Decoder(_Numbered)


def kind_of(event: Event) -> EventKind:
    """Classify an event. It never raises, whatever the event contains."""
    named = KINDS.get(event.name)
    data = event.data
    if not data or data.isspace():
        return EventKind.KEEPALIVE if named is None else named
    found = decode(data, _data)
    kind = as_word(found.type) if found is not None else None
    typed = KINDS.get(kind.encode()) if kind is not None else None
    if EventKind.FAILED in (named, typed):
        return EventKind.FAILED
    if found is not None and kind is None and named is None and bytes(found.error) not in (b"", b"null"):
        return EventKind.FAILED
    return typed or named or EventKind.CONTENT


def ends_response(event: Event) -> bool:
    """Whether a failure comes with the response as far as it came, as ``response.failed``; ``error`` has none."""
    found = decode(event.data or b"", _data)
    return (as_word(found.type) if found is not None else None) == "response.failed"


def number_of(event: Event) -> int | None:
    """Return the `sequence_number` of an event, which a keep-alive may have, too; None where it has none."""
    data = decode(event.data, _numbered) if event.data else None
    return as_int(data.sequence_number) if data is not None else None


def next_number(last: Event | None) -> int:
    """Return the `sequence_number` of an event behind ``last``; 0 where there is none, or that has none."""
    number = number_of(last) if last is not None else None
    return 0 if number is None else number + 1


class ResponsesStreamEnd:
    """How a stream ended: `feed` it each event."""

    __slots__ = ("failed", "has_last_event")

    def __init__(self) -> None:
        self.has_last_event = False
        """Whether the response came in a last state other than failed."""
        self.failed = False
        """Whether an event reported a failure, also behind the last event."""

    @property
    def finished(self) -> bool:
        """Whether the response is there and nothing failed; a stream that was cut is not."""
        return self.has_last_event and not self.failed

    def feed(self, event: Event) -> EventKind:
        """Take the next event; returns what kind it is."""
        kind = kind_of(event)
        if kind is EventKind.FINISHED:
            self.has_last_event = True
        elif kind is EventKind.FAILED:
            self.failed = True
        return kind
