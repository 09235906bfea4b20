"""Which chunk of a stream may go from one connection to the other just as it was read, HTTP framing and all?

One that is exactly one chunk and begins and ends as whole events do, once the stream stands between two events. Its
length tells how it has to begin, so nothing of it is parsed, and none of it is copied. This is the path of nearly
every token that a model says: it is kept to one function call (`UpstreamConnection.data_received`).
"""

from __future__ import annotations

import functools

CHUNK_ENDS = (b"\n\n\r\n", b"\n\r\n\r\n")
"""How a chunk ends whose content ends with a blank line."""

_LENGTHS = 4096


@functools.lru_cache(maxsize=_LENGTHS)
def chunk_beginnings(length: int) -> tuple[bytes, ...]:
    """How ``length`` bytes begin that are one whole chunk with events in it, as servers write that.

    Other spellings of a size (capitals, leading zeros, extensions; RFC 9112 section 7.1) are no less right, and
    take the long way.
    """
    for digits in range(1, 9):
        size = length - digits - 4  # the size, CRLF, the content, CRLF
        line = b"%x\r\n" % max(size, 0)
        if size > 0 and len(line) == digits + 2:
            return line + b"data:", line + b"event:"
    return ()
