"""Distinguishes the events of a stream that carry content from those that only keep the connection alive.

A proxy that sends ``: ping`` or ``event: ping`` every few seconds proves that it is alive, not that the model works:
comments, pings, blank lines and events without data are no progress. Framing as in `wire.sse.tail`. Linear in the
bytes, with a bounded memory, whatever is sent.
"""

from __future__ import annotations

import re

import msgspec

from clawgate.wire.sse.splitter import fields_of

PING = b"ping"
"""A chunk without these bytes holds no ping of any spelling."""
OPEN_LIMIT = 1024
"""An event that is not complete after so many bytes is no ping, and counts as content."""

_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_comments = re.compile(rb"(?::[^\r\n]*+(?:\r\n|\n|\r)|\r\n|\n|\r)*+").match
"""Complete comments and blank lines."""
_CONTENT_BEGAN = b"data: x"
"""Stands for the beginning of an event that is known to be content."""


class _Event(msgspec.Struct):
    type: str = ""


_event = msgspec.json.Decoder(_Event)


class ProgressDetector:
    """Feed it the stream as it comes, cut anywhere."""

    __slots__ = ("_open", "keepalive_bytes")

    def __init__(self) -> None:
        self._open = b""  # of the event or comment that is not complete yet
        self.keepalive_bytes = 0
        """Bytes since the last content."""

    def feed(self, chunk: bytes) -> bool:
        """Return whether content came with ``chunk``: a complete event, or part of one that can be nothing else."""
        progressed = self._feed(chunk)
        self.keepalive_bytes = 0 if progressed else self.keepalive_bytes + len(chunk)
        return progressed

    def _feed(self, chunk: bytes) -> bool:
        if not self._open and chunk.startswith(b"data: {") and chunk.endswith(b"\n\n") and PING not in chunk:
            return True  # nearly every chunk of a model's stream
        data = (self._open + chunk).removeprefix(_BOM)
        at = _skip_comments(data, 0)
        while (blank := _BLANK_LINE.search(data, at)) is not None:
            if not is_keepalive(data[at : blank.end()]):
                self._keep_open(data[_skip_comments(data, _last_event_end(data)) :])
                return True
            at = _skip_comments(data, blank.end())
        return self._keep_open(data[at:])

    def _keep_open(self, rest: bytes) -> bool:
        """Keep what is needed of an event or comment that is not complete; return whether it is content already."""
        if len(rest) > OPEN_LIMIT and rest.startswith(b":"):
            rest = b":" + rest[-1:]  # a CR may be half of a line end
        elif len(rest) > OPEN_LIMIT or rest.startswith(_CONTENT_BEGAN):
            rest = _CONTENT_BEGAN + rest[-3:]  # half of the blank line that ends it
        self._open = rest
        return rest.startswith(_CONTENT_BEGAN)


def is_keepalive(event: bytes) -> bool:
    """Whether an event only keeps the connection alive: it has no data, or is a ``ping`` by name or type."""
    name, data = fields_of(event)
    if name == PING or not data.strip():
        return True
    if PING not in data:
        return False
    try:
        return _event.decode(data).type == "ping"
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def _skip_comments(data: bytes, at: int) -> int:
    skipped = _comments(data, at)
    assert skipped is not None, "the expression matches the empty string"
    return skipped.end()


def _last_event_end(data: bytes) -> int:
    """Where the last complete event ends; ``data`` holds at least one."""
    return max(
        data.rfind(ending) + len(ending) for ending in (b"\n\n", b"\n\r\n", b"\r\r", b"\n\r", b"\r\n\r")
    )
