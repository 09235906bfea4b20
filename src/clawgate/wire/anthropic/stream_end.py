"""Classifies the events of a Messages stream, and detects whether the stream ended normally.

A stream ended normally if a ``message_delta`` gave a ``stop_reason`` and no error event came, before or after.
``message_stop`` proves nothing: a Claude proxy sends it after a failure, too (measured at @rynfar/meridian 1.43.0).
An event is what its name or the type in its data says, since clients read the one or the other; nothing is searched
for in its text, which may contain anything.

Keep-alives of every dialect are known here: Anthropic's ``ping``, and the ``keepalive`` with a number that OpenAI sends
in a Responses stream while the model is silent (openai-node issue 1964).
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from clawgate.wire.json.lenient import decode
from clawgate.wire.sse.reader import Event


class EventKind(Enum):
    """What an event means to the stream that it is part of."""

    KEEPALIVE = auto()
    """A comment, a blank line, an event without data, a ``ping`` or a ``keepalive``: no progress."""
    CONTENT = auto()
    ERROR = auto()
    """An error of either dialect."""
    STOP_REASON = auto()
    """A ``message_delta`` that says why the model stopped."""
    MESSAGE_STOP = auto()


class _Delta(msgspec.Struct):
    stop_reason: object = None


class _Data(msgspec.Struct):
    type: object = None
    delta: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


_data = msgspec.json.Decoder(_Data)
_delta = msgspec.json.Decoder(_Delta)


def kind_of(event: Event) -> EventKind:
    """Classify an event. It never raises, whatever the event contains."""
    name = event.name
    data = event.data
    if not data or data.isspace():
        return _KIND_OF_NAME.get(name, EventKind.CONTENT) if name else EventKind.KEEPALIVE
    if name in _CONTENT_NAMES and b"\\" not in data and b"message_" not in data and b'"error"' not in data:
        return EventKind.CONTENT  # without an escape, no other type can be in it
    found = decode(data, _data)
    if found is None:
        return _KIND_OF_NAME.get(name, EventKind.CONTENT)
    kind = found.type
    if kind == "error" or name == b"error" or (not kind and bytes(found.error) not in (b"", b"null")):
        return EventKind.ERROR
    if kind == "message_stop" or name == b"message_stop":
        return EventKind.MESSAGE_STOP
    if kind == "message_delta" or (not kind and name == b"message_delta"):
        delta = decode(found.delta, _delta)
        return EventKind.STOP_REASON if delta is not None and delta.stop_reason else EventKind.CONTENT
    if kind in ("ping", "keepalive") or (not kind and name in _KEEPALIVES):
        return EventKind.KEEPALIVE
    return EventKind.CONTENT


_CONTENT_NAMES = (b"content_block_delta", b"content_block_start", b"content_block_stop")
_KEEPALIVES = (b"ping", b"keepalive")
_KIND_OF_NAME = {
    b"error": EventKind.ERROR,
    b"message_stop": EventKind.MESSAGE_STOP,
    **dict.fromkeys(_KEEPALIVES, EventKind.KEEPALIVE),
}
"""Of events without data that can be read."""


LONGEST_KEEPALIVE = 80
"""Bytes of the longest event that may be a keep-alive without a name: Anthropic's has 36, OpenAI's about 70."""


def is_keepalive(event: Event) -> bool:
    """Whether `kind_of` an event is KEEPALIVE; cheap for events with content."""
    if event.data is not None and len(event.data) > LONGEST_KEEPALIVE and event.name not in _KEEPALIVES:
        return False
    return kind_of(event) is EventKind.KEEPALIVE


class MessagesStreamEnd:
    """Whether a stream ended normally: `feed` it each event."""

    __slots__ = ("has_stop_reason", "reported_error")

    def __init__(self) -> None:
        self.has_stop_reason = False
        self.reported_error = False
        """Whether an error event came, also behind ``message_stop``."""

    @property
    def finished(self) -> bool:
        """Whether the model stopped for a reason and nothing failed."""
        return self.has_stop_reason and not self.reported_error

    def feed(self, event: Event) -> EventKind:
        """Take the next event; returns what kind it is."""
        kind = kind_of(event)
        if kind is EventKind.STOP_REASON:
            self.has_stop_reason = True
        elif kind is EventKind.ERROR:
            self.reported_error = True
        return kind
