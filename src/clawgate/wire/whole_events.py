"""Where does one event of a stream end and the next begin? For streams that pass as they are: not a byte is changed.

Framing as in `wire.sse`. An event is handed out when it is whole, since nobody can do anything with a part of one; of
one that is longer than `MOST_BYTES` the rest goes on as it comes.
"""

from __future__ import annotations

import re

MOST_BYTES = 65_536
"""Of an event that is waited for. What matters to whoever looks is short."""

# As in wire.sse: the atomic group keeps CRLF one line end.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_SHORTEST_CRLF_PAIR = 4


class WholeEvents:
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

    def rest(self) -> bytes:
        """What came behind the last whole event."""
        rest = bytes(self._open)
        self._open.clear()
        self._searched = 0
        return rest


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
