"""Recognises a request head that was admitted before, so that the same bytes are parsed and admitted once.

A client on a kept connection repeats one head; only the length of the body changes, and with clients that trace
(OpenClaw) a ``traceparent``, which does not go upstream. Each connection therefore keeps the last head that was parsed,
with what came of it. Invariant: a cached value depends on nothing but the other bytes of its head.
"""

from __future__ import annotations

import re
from typing import Generic, Self, TypeVar

_LENGTH = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_MOST_DIGITS = 10
_LONGEST_HEAD = 4096
_TRACE = b"\r\ntraceparent: "
# W3C Trace Context, section 3.2
_is_trace = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").match
_TRACE_LENGTH = 55

_T = TypeVar("_T")


class CachedHead(Generic[_T]):
    """A head, split around the parts that may differ, and its value."""

    __slots__ = ("_after", "_before", "_lead", "value")

    def __init__(self, before: bytes, after: bytes | None, value: _T) -> None:
        self._lead = b""  # up to the value of a traceparent, if there is one in front of the length
        at = before.find(_TRACE)
        if at >= 0 and _is_trace(before, at := at + len(_TRACE)):
            self._lead, before = before[:at], before[at + _TRACE_LENGTH :]
        self._before = before
        self._after = after  # None: the head has no length, ``before`` is all of it
        self.value = value

    @classmethod
    def of(cls, head: bytes, length: int, value: _T) -> Self | None:
        """Return a cache entry for ``head``, which ends with its blank line and has a body of ``length`` bytes.

        None for a long head, and for one whose Content-Length is spelled in another way than clients do.
        """
        if len(head) > _LONGEST_HEAD:
            return None
        for spelling in _LENGTH:
            at = head.find(spelling)
            if at >= 0:
                at += len(spelling)
                stop = head.find(b"\r\n", at)
                if head[at:stop] != b"%d" % length:
                    return None
                return cls(head[:at], head[stop:], value)
        return None if length else cls(head, None, value)

    def match(self, data: bytes) -> tuple[int, int] | None:
        """Return the body's length and its start in ``data`` if ``data`` begins with this head, else None."""
        at = 0
        lead = self._lead
        if lead:
            at = len(lead)
            if not data.startswith(lead) or not _is_trace(data, at):
                return None
            at += _TRACE_LENGTH
        if not data.startswith(self._before, at):
            return None
        at += len(self._before)
        after = self._after
        if after is None:
            return 0, at
        stop = data.find(b"\r", at, at + _MOST_DIGITS + 1)
        if stop < 0 or not data.startswith(after, stop):
            return None
        digits = data[at:stop]
        return (int(digits), stop + len(after)) if digits.isdigit() else None
