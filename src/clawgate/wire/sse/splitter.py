"""Where does one event of a stream end and the next begin? For streams that pass as they are: not a byte is changed.

Framing as in `wire.sse.tail`. An event is handed out when it is whole, since nobody can do anything with a part of one;
of one that is longer than `MOST_BYTES` the rest goes on as it comes.
"""

from __future__ import annotations

import re

import msgspec

MOST_BYTES = 65_536
"""Of an event that is waited for. What matters to whoever looks is short."""

# As in wire.sse: the atomic group keeps CRLF one line end.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_SHORTEST_CRLF_PAIR = 4


class EventSplitter:
    """Feed it what arrives; it hands back the same bytes, cut behind events."""

    __slots__ = ("_open", "_searched", "_skips")

    def __init__(self) -> None:
        self._open = bytearray()  # of the event that is not whole yet
        self._searched = 0  # how much of `_open` holds no blank line
        self._skips = False  # the beginning of that event is gone, for it was too long

    def feed(self, chunk: bytes) -> list[tuple[bytes, bool]]:
        """What goes on now, piece by piece, and of each piece whether an event begins with it."""
        self._open += chunk
        found: list[tuple[bytes, bool]] = []
        begin = 0
        search = max(0, self._searched - _SHORTEST_CRLF_PAIR)
        while (blank := _BLANK_LINE.search(self._open, search)) is not None:
            found.append((bytes(self._open[begin : blank.end()]), not self._skips))
            self._skips = False
            begin = search = blank.end()
        del self._open[:begin]
        if len(self._open) > MOST_BYTES:
            # The last bytes may be half of the blank line that ends it.
            found.append((bytes(self._open[:-_SHORTEST_CRLF_PAIR]), not self._skips))
            self._skips = True
            del self._open[:-_SHORTEST_CRLF_PAIR]
        self._searched = len(self._open)
        return found

    def rest(self) -> tuple[bytes, bool]:
        """What came behind the last piece, and whether an event begins with it. It stays here."""
        return bytes(self._open), not self._skips


def is_complete(rest: bytes) -> bool:
    """Whether what a stream ends with is an event that only lacks its blank line; otherwise it is half of one."""
    named, data = fields_of(rest)
    if not data or data.strip() == b"[DONE]":
        return bool(data) or named != b""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def fields_of(event: bytes) -> tuple[bytes, bytes]:
    """Name and data of one event."""
    named, data = b"", []
    for line in _LINE_END.split(event):
        field, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if field == b"event":
            named = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return named, b"\n".join(data)
