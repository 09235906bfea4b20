"""Did a stream of Anthropic's Messages API come to its end, or was it only cut off politely?

For streams that pass through as they are. A stream has ended well if a ``message_delta`` gave a ``stop_reason`` and no
error was told, before or after. ``message_stop`` proves nothing: a Claude proxy sends it after a failure, too (measured
at @rynfar/meridian 1.43.0). Framing as in `wire.sse`; keeps `MOST_BYTES` of an event that is not whole, and decodes
only the few events that can matter.
"""

from __future__ import annotations

import re

import msgspec

MOST_BYTES = 65_536
"""Of one event. One that is longer is not the end of anything: what matters here is short."""

# As in wire.sse: the atomic group keeps CRLF one line end.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_SHORTEST_CRLF_PAIR = 4


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


_event = msgspec.json.Decoder(_Event)
_delta = msgspec.json.Decoder(_Delta)


class StreamEnd:
    """Feed it what passes; ask at the end whether that was all."""

    __slots__ = ("_open", "_searched", "_skips", "said_error", "stop_reason")

    def __init__(self) -> None:
        self.said_error = False
        """Whether an ``error`` event came, also one behind ``message_stop``."""
        self.stop_reason: str | None = None
        """The last one that a ``message_delta`` gave."""
        self._open = bytearray()  # of the event that is not whole yet
        self._searched = 0  # how much of `_open` holds no blank line
        self._skips = False  # the beginning of that event is gone, for it was too long

    @property
    def finished(self) -> bool:
        """Whether the model said why it stopped, and nobody said that something failed."""
        return self.stop_reason is not None and not self.said_error

    def feed(self, chunk: bytes) -> None:
        """The stream goes on with ``chunk``. Raises nothing, whatever that is."""
        if not self._open and not self._skips and chunk.endswith(b"\n\n") and not _can_matter(chunk):
            return
        self._open += chunk
        begin = 0
        search = max(0, self._searched - _SHORTEST_CRLF_PAIR)
        while (found := _BLANK_LINE.search(self._open, search)) is not None:
            if not self._skips:
                self._take(bytes(self._open[begin : found.start()]))
            self._skips = False
            begin = search = found.end()
        del self._open[:begin]
        if len(self._open) > MOST_BYTES:
            if not self._skips:
                self._take(bytes(self._open[:MOST_BYTES]))
            self._skips = True
            del self._open[:-_SHORTEST_CRLF_PAIR]
        self._searched = len(self._open)

    def _take(self, event: bytes) -> None:
        """One event, or the beginning of one that is too long."""
        if not _can_matter(event):
            return
        named, data = b"", []
        for line in _LINE_END.split(event):
            field, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
            if field == b"event":
                named = value.removeprefix(b" ")
            elif field == b"data":
                data.append(value.removeprefix(b" "))
        if named == b"error":
            self.said_error = True
            return
        try:
            said = _event.decode(b"\n".join(data))
            if said.type == "error" or (not said.type and _is_told(said.error)):
                self.said_error = True
            elif said.type == "message_delta":
                self.stop_reason = _delta.decode(said.delta).stop_reason or self.stop_reason
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return


def _can_matter(piece: bytes) -> bool:
    """Asked of every chunk: a model that talks about errors costs a closer look, and nothing else."""
    return b"message_delta" in piece or b"error" in piece


def _is_told(error: msgspec.Raw) -> bool:
    return bytes(error) not in (b"", b"null")
