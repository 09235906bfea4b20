"""Where an event stream stands: has anything been said yet, and may an event of ours be added at its end?

Works on bytes and never decodes, so no character can be cut in two. Framing as in the WHATWG HTML standard,
section 9.2 (server-sent events): lines end with LF, CR or CRLF, a blank line dispatches the event, a line that
starts with a colon is a comment, an event left unfinished at the end of the stream is dropped.
"""

from __future__ import annotations

import re

# The atomic group keeps CRLF one line end: without it, CR and LF would count as two.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"
_tells_error = re.compile(rb'\{\s*"(?:error"\s*:\s*[{"]|type"\s*:\s*"error")').match
"""How the data of an error event begins, in the dialects of OpenAI and Anthropic."""

TAIL_BYTES = 4096
"""How much of a stream's end is kept for `closing_chunk`: an event or two of any usual size."""


class StreamTail:
    """The last bytes of a stream, at least `TAIL_BYTES` of them where there are so many."""

    __slots__ = ("_bytes", "_from_start")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._from_start = True

    def add(self, chunk: bytes) -> None:
        """The stream goes on with ``chunk``."""
        self._bytes += chunk
        if len(self._bytes) > 2 * TAIL_BYTES:
            del self._bytes[:-TAIL_BYTES]
            self._from_start = False

    def restart(self, events: bytes) -> None:
        """The stream went on with whole events, and these are the last of them: none before them can matter."""
        self._bytes[:] = events
        self._from_start = True

    @property
    def is_between_events(self) -> bool:
        """Whether the stream so far ends with a blank line, as seen from its last bytes alone."""
        return self._bytes.endswith((b"\n\n", b"\n\r\n"))

    @property
    def is_whole(self) -> bool:
        """Whether the stream so far ends with a whole event."""
        return not _BLANK_LINE.split(bytes(self._bytes))[-1].strip(b"\r\n")

    def closing_chunk(self, event: bytes) -> bytes:
        """`closing_chunk` for the stream so far."""
        return closing_chunk(bytes(self._bytes), event, from_start=self._from_start)


def closing_chunk(tail: bytes, event: bytes, *, from_start: bool = True) -> bytes:
    """What to add to a stream that was cut after ``tail`` so that ``event`` is seen and nothing is made up.

    At an event boundary: the event. In the middle of an event: a blank line first. Empty where ending the open event
    would let it read as ``[DONE]``, or might (its beginning is not in ``tail``, which is ``from_start`` of the
    stream or not), and where ``[DONE]`` or an error was already said: then a broken end has to do.
    """
    if from_start:
        tail = tail.removeprefix(_BOM)
    *events, still_open = _BLANK_LINE.split(tail)
    if not from_start and not events:
        return b""
    if not from_start:
        del events[0]  # only its end is here
    said = next((data for data in map(_data, reversed(events)) if data is not None), b"")
    if said.startswith(_DONE) or _tells_error(said):
        return b""
    if not still_open.strip(b"\r\n"):
        return event if from_start or events or tail[-1:] in (b"\r", b"\n") else b""
    data = _data(still_open)
    if data is not None and (_DONE.startswith(data) or data.startswith(_DONE)):
        return b""
    return b"\n\n" + event


def _data(event: bytes) -> bytes | None:
    """The data that an event would be dispatched with, without outer blanks; None where it has no such field."""
    lines = [line for line in _LINE_END.split(event) if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(line[5:] for line in lines).strip(b" \t") if lines else None


class FirstEventDetector:
    """Tells the first real byte of a stream from the comments that only keep it warm.

    A proxy that sends ``: ping`` every few seconds proves that it is alive, not that the model has begun; the
    first-byte limit therefore runs on until `feed` has answered True.
    """

    __slots__ = ("_bom", "_in_comment", "_line_is_new")

    def __init__(self) -> None:
        self._bom = _BOM  # what of a byte order mark may still come
        self._line_is_new = True
        self._in_comment = False

    def feed(self, chunk: bytes) -> bool:
        """Whether ``chunk`` holds anything but comments and blank lines; comments may span chunks."""
        for byte in chunk:
            if self._bom and byte == self._bom[0]:
                self._bom = self._bom[1:]
                continue
            self._bom = b""
            if byte in b"\r\n":
                self._line_is_new, self._in_comment = True, False
            elif self._in_comment:
                continue
            elif self._line_is_new and byte == 0x3A:  # ':'
                self._line_is_new, self._in_comment = False, True
            else:
                return True
        return False
