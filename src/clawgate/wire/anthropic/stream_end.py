"""Did a stream of Anthropic's Messages API come to its end, or was it only cut off politely?

For streams that pass through as they are. A stream has ended well if a ``message_delta`` gave a ``stop_reason`` and no
error was told, before or after. ``message_stop`` proves nothing: a Claude proxy sends it after a failure, too (measured
at @rynfar/meridian 1.43.0). Only the few events that can matter are decoded.
"""

from __future__ import annotations

import msgspec

from clawgate.wire.sse.splitter import EventSplitter, fields_of


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


_event = msgspec.json.Decoder(_Event)
_delta = msgspec.json.Decoder(_Delta)


class MessagesStreamEnd:
    """Feed it what passes; ask at the end whether that was all."""

    __slots__ = ("_events", "_in_event", "said_error", "stop_reason")

    def __init__(self) -> None:
        self.said_error = False
        """Whether an ``error`` event came, also one behind ``message_stop``."""
        self.stop_reason: str | None = None
        """The last one that a ``message_delta`` gave."""
        self._events = EventSplitter()
        self._in_event = False

    @property
    def finished(self) -> bool:
        """Whether the model said why it stopped, and nobody said that something failed."""
        return self.stop_reason is not None and not self.said_error

    def feed(self, chunk: bytes) -> None:
        """The stream goes on with ``chunk``. Raises nothing, whatever that is."""
        whole = chunk.endswith(b"\n\n")
        if whole and not self._in_event and not _can_matter(chunk):
            return
        self._in_event = not whole
        for event, is_whole in self._events.feed(chunk):
            if is_whole and _can_matter(event):
                self._take(event)

    def _take(self, event: bytes) -> None:
        """One event, or the beginning of one that is too long."""
        named, data = fields_of(event)
        if tells_error(named, data):
            self.said_error = True
            return
        try:
            said = _event.decode(data)
            if said.type == "message_delta":
                self.stop_reason = _delta.decode(said.delta).stop_reason or self.stop_reason
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return


def ends_message(event: bytes) -> bool:
    """Whether the message is over with it: a ``message_delta`` with a ``stop_reason``, or a ``message_stop``."""
    if b"message_stop" not in event and b"stop_reason" not in event:
        return False
    try:
        said = _event.decode(fields_of(event)[1])
        if said.type == "message_delta":
            return _delta.decode(said.delta).stop_reason is not None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return said.type == "message_stop"


def keeps_warm(event: bytes) -> bool:
    """Whether it only says that somebody is there: a comment, a blank line, a ``ping``."""
    named, data = fields_of(event)
    if not data:
        return named in (b"", b"ping")
    try:
        return _event.decode(data).type == "ping"
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def error_in(event: bytes) -> bytes | None:
    """The data of an event that tells an error, in either dialect; None for every other one."""
    if b"error" not in event:
        return None
    named, data = fields_of(event)
    return data if tells_error(named, data) else None


def tells_error(named: bytes, data: bytes) -> bool:
    """Whether an event of that name with that data says that something failed."""
    if named == b"error":
        return True
    try:
        said = _event.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return said.type == "error" or (not said.type and bytes(said.error) not in (b"", b"null"))


def _can_matter(piece: bytes) -> bool:
    """Asked of every chunk: a model that talks about errors costs a closer look, and nothing else."""
    return b"message_delta" in piece or b"error" in piece
