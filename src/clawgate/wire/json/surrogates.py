r"""Repairs lone surrogate escapes in JSON: escapes such as ``\ud83d`` are half of a character in UTF-16.

Programs that count text in UTF-16 cut it between the halves: JSON then contains an escape without its other half, which
RFC 8259 allows to be written and no strict reader accepts. A lone half reads as U+FFFD; in a stream, halves at the end
of one event's string and at the beginning of the next one's are joined. Bytes that are no UTF-8 read as U+FFFD, too.
It works on the bytes of JSON, and is used only where a reader has already failed.
"""

from __future__ import annotations

import re

REPLACEMENT = rb"\ufffd"

# A pair, or a half as the second group. Behind a backslash that is escaped itself, it is no escape.
_FOUND = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_QUOTE = b'"'


def replace_invalid_bytes(json: bytes) -> bytes:
    """Return ``json`` with U+FFFD for bytes that are no UTF-8; the same object if there are none."""
    try:
        json.decode()
    except UnicodeDecodeError:
        return json.decode("utf-8", "replace").encode()
    return json


def replace_lone_surrogates(json: bytes) -> bytes:
    """Return ``json`` with U+FFFD for every lone surrogate; the same object if there is none."""
    if rb"\ud" not in json and rb"\uD" not in json:
        return json
    repaired = bytearray(
        json
    )  # `re.sub` would keep every part: many times the size where there are many halves
    for found in _FOUND.finditer(json):
        if found[2] is not None:
            repaired[found.start(2) : found.end(2)] = REPLACEMENT  # as long as a half
    return bytes(repaired)


class SurrogateJoiner:
    """Joins the halves of characters that were cut between two events of one stream."""

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = b""  # the half that ended a string of the latest broken event

    def join(self, event: bytes) -> bytes:
        """Return ``event`` without halves. One that ends a string waits for the event that begins with the other."""
        halves = [found for found in _FOUND.finditer(event) if found[2] is not None]
        first, self._first = self._first, b""
        if not halves:
            return event
        begin, end = halves[0], halves[-1]
        at = begin.start(2)
        if not _is_second(end[2]) and event[end.end() : end.end() + 1] == _QUOTE:
            self._first = end[2]
            event = event[: end.start(2)] + event[end.end() :]
        if first and _is_second(begin[2]) and event[at - 1 : at] == _QUOTE:
            event = event[:at] + first + event[at:]
        return replace_lone_surrogates(event)


def _is_second(half: bytes) -> bool:
    return half[3:4] in b"cdefCDEF"
