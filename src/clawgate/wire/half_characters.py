r"""What did a server mean that cut a character in two? Escapes such as ``\ud83d`` are halves of one in UTF-16.

Programs that count text in UTF-16 cut it between them: JSON then holds an escape without its other half, which RFC
8259 allows to be written and no strict reader takes. Half a character reads as U+FFFD; in a stream, the two halves
that stand at the end of one event's string and at the beginning of the next one's are put together again. It works
on JSON's bytes, and is asked only where a reader has already failed.
"""

from __future__ import annotations

import re

REPLACEMENT = rb"\ufffd"

# A backslash with what it escapes, and pairs first: what looks like an escape behind an escaped backslash is none.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
_HALF = 6  # bytes of \ud83d
_QUOTE = b'"'


def whole(json: bytes) -> bytes:
    """``json`` with U+FFFD for every half of a character; the same object where there is none."""
    return _ESCAPE.sub(lambda found: REPLACEMENT if _is_half(found) else found[0], json) if _may(json) else json


class Joiner:
    """The halves of one stream."""

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = b""  # the half that ended a string of the latest broken event

    def mend(self, event: bytes) -> bytes:
        """``event`` without halves. One that ends a string waits for the event that begins with the other."""
        halves = [found for found in _ESCAPE.finditer(event) if _is_half(found)] if _may(event) else []
        first, self._first = self._first, b""
        if not halves:
            return event
        begin, end = halves[0], halves[-1]
        if first and _is_second(begin) and event[begin.start() - 1 : begin.start()] == _QUOTE:
            event = event[: begin.start()] + first + event[begin.start() :]
        elif not _is_second(end) and event[end.end() : end.end() + 1] == _QUOTE:
            self._first = end[0]
            event = event[: end.start()] + event[end.end() :]
        return whole(event)


def _may(json: bytes) -> bool:
    return rb"\ud" in json or rb"\uD" in json


def _is_half(found: re.Match[bytes]) -> bool:
    return len(found[0]) == _HALF


def _is_second(half: re.Match[bytes]) -> bool:
    return half[0][3:4] in b"cdefCDEF"
