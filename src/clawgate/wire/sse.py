"""Where an event stream stands: has anything been said yet, and may an event of ours be added at its end?

Works on bytes and never decodes, so no character can be cut in two. Framing as in the WHATWG HTML standard,
section 9.2 (server-sent events): lines end with LF, CR or CRLF, a blank line dispatches the event, a line that
starts with a colon is a comment, an event left unfinished at the end of the stream is dropped.
"""

from __future__ import annotations

import re

# The atomic group keeps CRLF one line end: without it, CR and LF would count as two.
_BLANK_LINE_AT_END = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)\Z")
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_DONE = b"[DONE]"

TAIL_BYTES = 512
"""How much of a stream's end `closing` wants to see: far more than any `[DONE]` event takes."""


def extend_tail(tail: bytes, chunk: bytes) -> bytes:
    """The last bytes of a stream after ``chunk``, at most ``TAIL_BYTES``."""
    if len(chunk) >= TAIL_BYTES:
        return chunk[-TAIL_BYTES:]
    return (tail + chunk)[-TAIL_BYTES:]


def closing(tail: bytes, event: bytes) -> bytes:
    """What to add to a stream that was cut after ``tail`` so that ``event`` is seen and nothing is made up.

    At an event boundary: the event. In the middle of an event: a blank line first. Empty where ending the open
    event would let it read as ``[DONE]``, or where ``[DONE]`` was already said: then a broken end has to do.
    """
    if not tail:
        return event
    lines = _LINE_END.split(_last_event(tail))
    said = [line[5:].strip() for line in lines if line.startswith(b"data:") or line == b"data"]
    if _BLANK_LINE_AT_END.search(tail):
        return b"" if said and said[-1].startswith(_DONE) else event
    if said and (_DONE.startswith(said[-1]) or said[-1].startswith(_DONE)):
        return b""
    return b"\n\n" + event


def _last_event(tail: bytes) -> bytes:
    """The bytes of the last event, whether it is finished or still open."""
    starts = [match.end() for match in _BLANK_LINE.finditer(tail)]
    if starts and starts[-1] == len(tail):
        starts.pop()
    return tail[starts[-1] :] if starts else tail


class FirstEvent:
    """Tells the first real byte of a stream from the comments that only keep it warm.

    A proxy that sends ``: ping`` every few seconds proves that it is alive, not that the model has begun; the
    first-byte limit therefore runs on until `feed` has answered True.
    """

    __slots__ = ("_in_comment", "_line_is_new")

    def __init__(self) -> None:
        self._line_is_new = True
        self._in_comment = False

    def feed(self, chunk: bytes) -> bool:
        """Whether ``chunk`` holds anything but comments and blank lines; comments may span chunks."""
        for byte in chunk:
            if byte in b"\r\n":
                self._line_is_new, self._in_comment = True, False
            elif self._in_comment:
                continue
            elif self._line_is_new and byte == 0x3A:  # ':'
                self._line_is_new, self._in_comment = False, True
            else:
                return True
        return False
