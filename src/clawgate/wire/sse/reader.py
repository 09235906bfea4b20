"""Reads a stream of bytes as server-sent events, each with the bytes that it came in.

Framing as in the WHATWG HTML standard, section 9.2: lines end with LF, CR or CRLF, a blank line dispatches the event,
a line that starts with a colon is a comment. An event is handed out once it is complete, so no character is decoded in
two halves and nothing is searched for across events. A line `error: {…}`, which llama.cpp's server writes, counts as
data. It knows no JSON and no dialect.
"""

from __future__ import annotations

import re

import msgspec

from clawgate.errors import UpstreamMalformed

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The most that is kept in memory for one event, or by a translator for what belongs to a later one."""
MAX_EVENT_LINES = 65_536
"""The most lines of one event: each costs more memory than its bytes."""

_BOM = b"\xef\xbb\xbf"
# The atomic group keeps CRLF one line end: without it, CR and LF would count as two.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_BETWEEN_EVENTS = re.compile(rb"(?:(?::[^\r\n]*)?(?:\r\n|\n|\r))+")
_LONGEST_BLANK_LINE = 4
_NO_FIELD = (b":", b"\n", b"\r")
"""How a line begins that is no part of an event."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, or the comments and blank lines between two events; `raw` of all of them is the stream, unchanged."""

    raw: bytes
    name: bytes = b""
    data: bytes | None = None
    """The data lines joined by LF; None if there is none, so that no client dispatches the event."""


class EventReader:
    """Splits a stream at event boundaries: `feed` it chunks, however they were cut."""

    __slots__ = ("_at_start", "_has_cr", "_open", "_searched")

    def __init__(self) -> None:
        self._open = bytearray()  # of the event that is not complete yet
        self._searched = 0  # how much of `_open` contains no blank line
        self._has_cr = False  # whether `_open` contains a CR
        self._at_start = True

    @property
    def is_between_events(self) -> bool:
        """Whether every event so far is complete."""
        return not self._open or (self._at_start and self._open == _BOM)

    @property
    def open_bytes(self) -> int:
        """How much of an event that is not complete arrived."""
        return len(self._open)

    @property
    def is_in_comment(self) -> bool:
        """Whether a comment between two events is not complete."""
        begin = len(_BOM) if self._at_start and self._open[:3] == _BOM else 0
        return self._open[begin : begin + 1] == b":"

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that are complete with ``chunk``; raises `UpstreamMalformed` past `MAX_EVENT_BYTES`."""
        if (
            chunk.startswith((b"data:", b"event:"))
            and chunk.find(b"\n\n") == len(chunk) - 2
            and not (self._open or self._at_start)
            and b"\r" not in chunk
        ):
            return [self._event(chunk)]  # one event, as nearly all servers send them
        has_cr = b"\r" in chunk
        if not has_cr and b"\n" not in chunk:
            self._keep(chunk)
            return []
        has_cr = has_cr or self._has_cr
        buffer: bytes | bytearray = chunk
        searched = 0
        if self._open:
            self._open += chunk
            buffer = self._open
            searched = max(0, self._searched - _LONGEST_BLANK_LINE)
        events: list[Event] = []
        begin, length = 0, len(buffer)
        while begin < length:
            content = begin
            if self._at_start and buffer[:3] == _BOM:
                content = len(_BOM)
            if buffer[content : content + 1] in _NO_FIELD:
                between = _BETWEEN_EVENTS.match(buffer, content)
                if between is None:
                    break
                end = between.end()
                events.append(Event(bytes(buffer[begin:end])))
            else:
                end = _end_of_event(buffer, max(content, searched), has_cr=has_cr)
                if not end:
                    break
                events.append(self._event(bytes(buffer[begin:end])))
            begin = end
            self._at_start = False
        if buffer is chunk:
            self._keep(chunk[begin:])
        else:
            del self._open[:begin]
            self._keep(b"")
        self._has_cr = has_cr and not (events and b"\r" not in self._open)
        return events

    def close(self) -> Event | None:
        """Return what the stream ends with behind its last complete event: an event without its blank line, or half
        of one. It stays here."""
        return self._event(bytes(self._open)) if self._open else None

    def _keep(self, piece: bytes) -> None:
        self._open += piece
        self._searched = len(self._open)
        if self._searched > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"an event of the upstream's stream exceeds {MAX_EVENT_BYTES} bytes")

    def _event(self, raw: bytes) -> Event:
        if raw[:6] == b"data: " and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
            return Event(raw, b"", raw[6:-2])
        if len(raw) > MAX_EVENT_LINES and raw.count(b"\n") + raw.count(b"\r") > MAX_EVENT_LINES:
            raise UpstreamMalformed(f"an event of the upstream's stream exceeds {MAX_EVENT_LINES} lines")
        name = b""
        data: list[bytes] = []
        for line in (raw.removeprefix(_BOM) if self._at_start else raw).splitlines():
            if line[:5] == b"data:":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line[:6] == b"event:":
                name = line[7:] if line[6:7] == b" " else line[6:]
            elif line == b"data":
                data.append(b"")
            elif line[:6] == b"error:":
                data.append(line[6:].strip())
        return Event(raw, name, b"\n".join(data) if data else None)


def _end_of_event(buffer: bytes | bytearray, start: int, *, has_cr: bool) -> int:
    """Return where the first blank line behind ``start`` ends, or 0."""
    if not has_cr:  # by far the most streams, and a search for a literal is ten times as fast
        at = buffer.find(b"\n\n", start)
        return at + 2 if at >= 0 else 0
    blank = _BLANK_LINE.search(buffer, start)
    return blank.end() if blank is not None else 0
