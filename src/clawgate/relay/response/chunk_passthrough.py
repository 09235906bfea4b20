"""Recognises chunks of an event stream that can be forwarded exactly as they were read, HTTP framing included.

Such a read is exactly one chunk that begins and ends as complete events do. Its length implies how it has to begin, so
nothing of it is parsed and none of it is copied. Nearly every token of a model takes this path: it is kept to one
function call (`UpstreamConnection.data_received`, decision 0015).
"""

from __future__ import annotations

import functools

CHUNK_ENDS = (b"\n\n\r\n", b"\n\r\n\r\n")
"""How a chunk ends whose content ends with a blank line."""
SHORTEST_CONTENT = 82
"""Shorter content is read: it may be a keep-alive or ``[DONE]``, which mean something to limits and to a stream's end.
A token of a model in any dialect takes more."""

_LENGTHS = 4096


@functools.lru_cache(maxsize=_LENGTHS)
def chunk_prefixes(length: int) -> tuple[bytes, ...]:
    """Return how ``length`` bytes begin that are exactly one chunk of events, as servers write that.

    Other spellings of a size (capitals, leading zeros, extensions; RFC 9112 section 7.1) are valid and are parsed.
    """
    for digits in range(1, 9):
        size = length - digits - 4  # the size, CRLF, the content, CRLF
        line = b"%x\r\n" % max(size, 0)
        if size >= SHORTEST_CONTENT and len(line) == digits + 2:
            return line + b"data:", line + b"event:"
    return ()
