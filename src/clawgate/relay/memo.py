"""Has this very head been read before? The same bytes mean the same thing, so they are understood once.

A client on a kept connection sends one head again and again, and so does an upstream; only the body's length
changes. A memo maps a head without its Content-Length digits to what the strict path made of it the first time.
Only what depends on nothing but those bytes may be put in here.
"""

from __future__ import annotations

from typing import Generic, TypeVar

HEAD_END = b"\r\n\r\n"
_LENGTH = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_LENGTH_SIZE = len(_LENGTH[0])
_MOST_DIGITS = 10
_MOST_HEADS = 256
_LONGEST_HEAD = 4096

_T = TypeVar("_T")


def split_head(data: bytes, end: int) -> tuple[bytes, bytes]:
    """The memo's key and the digits of Content-Length (empty without one) of the head that ends at ``end``.

    A head that spells its length in another way, or has two, keeps it in the key: it is then another head.
    """
    at = data.find(_LENGTH[0], 0, end)
    if at < 0:
        at = data.find(_LENGTH[1], 0, end)
        if at < 0:
            return data[:end], b""
    at += _LENGTH_SIZE
    stop = data.find(b"\r\n", at, end + 2)
    digits = data[at:stop]
    if not digits.isdigit() or stop - at > _MOST_DIGITS:
        return data[:end], b""
    return data[:at] + data[stop:end], digits


class HeadMemo(dict[bytes, _T], Generic[_T]):
    """At most 256 heads of at most 4 kB; full, it starts afresh."""

    def learn(self, key: bytes, meaning: _T) -> None:
        """Remember what a head means."""
        if len(key) > _LONGEST_HEAD:
            return
        if len(self) >= _MOST_HEADS:
            self.clear()
        self[key] = meaning
