"""Decodes a gzip body in pieces, no further than its reader has room: a bomb costs what it may fill, and no more."""

from __future__ import annotations

import zlib

_GZIP = 31  # zlib's number for "gzip alone, the largest window"
_MOST_MEMBERS = 500
"""Of a body: behind each, what is left of a piece is copied. Empty ones have 20 bytes."""


class GzipBody:
    """One body, of one or more gzip members (RFC 1952); what follows them is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1
        self.ended = False
        """Whether it ended with a member that is complete."""

    def feed(self, data: bytes, room: int) -> bytes:
        """Return at most ``room`` bytes of content; the rest of ``data`` is lost then. Raises ValueError."""
        pieces: list[bytes] = []
        while data and room > 0:
            if self.ended:
                if not data.startswith(b"\x1f"):
                    break
                self._member, self.ended = zlib.decompressobj(_GZIP), False
                self._members += 1
                if self._members > _MOST_MEMBERS:
                    raise ValueError(f"it has more than {_MOST_MEMBERS} members")
            try:
                piece = self._member.decompress(data, room)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            pieces.append(piece)
            room -= len(piece)
            self.ended = self._member.eof
            data = self._member.unused_data if self.ended else b""
        return b"".join(pieces)
