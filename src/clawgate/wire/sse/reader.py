"""Which events does a stream of bytes hold, however it is cut into chunks?

Framing as in the WHATWG HTML standard, section 9.2: lines end with LF, CR or CRLF, a blank line dispatches. Whole
events are handed out as bytes, so no character is ever decoded in two halves. One event may hold `MAX_EVENT_BYTES`
and no more. A line `error: {…}`, which llama.cpp's server writes, counts as data. It knows no JSON and no dialect.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The most that is kept in memory for one event, or by a translator for what belongs to a later one."""

COMMENT = b"\r"
"""Stands for a comment line or an event of nothing but white space, which is how servers keep a stream warm. No data
can be this: CR ends a line."""

_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Feed it what arrives; it hands back the data of every event that is complete, and `COMMENT` for comments."""

    __slots__ = ("_after_cr", "_at_start", "_data", "_held", "_held_data", "_partial")

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # a line whose end has not come, in pieces
        self._data: list[bytes] = []  # the data lines of the event that is under way
        self._held_data = 0  # bytes in `_data`, and what keeping them costs
        self._held = 0  # the same and the bytes in `_partial`
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that end in ``chunk``; raises `UpstreamMalformed` past `MAX_EVENT_BYTES`."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        if self._partial:
            self._partial.append(chunk)
            chunk = b"".join(self._partial)
            self._partial.clear()
        if self._at_start:
            chunk = chunk.removeprefix(_BOM)
            self._at_start = False
        lines = chunk.splitlines()
        self._after_cr = chunk[-1:] == b"\r"
        rest = b"" if chunk[-1:] in (b"\n", b"\r") else lines.pop()
        found: list[bytes] = []
        data = self._data
        held = self._held_data
        for line in lines:
            if not line:
                if data:
                    whole = data[0] if len(data) == 1 else b"\n".join(data)
                    data.clear()
                    if whole and not whole.isspace():
                        found.append(whole)
                    elif found[-1:] != [COMMENT]:
                        found.append(COMMENT)
                held = 0
            elif line[:5] == b"data:":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                held += len(line) + 8  # an empty line takes room, too
            elif line == b"data":
                data.append(b"")
                held += 8
            elif line[:1] == b":" and found[-1:] != [COMMENT]:
                found.append(COMMENT)
            elif line[:6] == b"error:":
                data.append(line[6:].strip())
                held += len(line) + 8
        self._held_data = self._held = held
        self._keep(rest)
        return found

    def _keep(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"an event of the upstream's stream exceeds {MAX_EVENT_BYTES} bytes")
        if piece:
            self._partial.append(piece)
