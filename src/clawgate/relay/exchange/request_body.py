"""What becomes of a request's body on its way: how it is framed, how large it may be, and whether anybody reads it."""

from __future__ import annotations

from clawgate.errors import BodyTooLarge
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.wire.http.message import chunk

PEEK_BYTES = 1_048_576
"""The largest body that is looked into for the log's model name."""


class RequestBody:
    """The body of one request, told in pieces."""

    __slots__ = ("_kept", "_limit", "_ticket", "size")

    def __init__(self, ticket: AdmittedHead, limit: int, *, peeks: bool) -> None:
        self._ticket = ticket
        self._limit = limit
        self.size = 0
        """Bytes of content so far."""
        # Kept whole where a rule has to read it, and up to a size for a glance where a log wants it.
        self._kept: list[bytes] | None = [] if ticket.buffers_body or peeks else None

    def feed(self, data: bytes) -> bytes:
        """What goes upstream for a piece, framed anew; nothing where all is read first. Raises `BodyTooLarge`."""
        self.size += len(data)
        if self.size > self._limit:
            raise BodyTooLarge(f"the body is over the limit of {self._limit} bytes")
        if self._kept is not None:
            if self.size > PEEK_BYTES and not self._ticket.buffers_body:
                self._kept = None
            else:
                self._kept.append(data)
        if self._ticket.buffers_body:
            return b""
        return chunk(data) if self._ticket.chunked else data

    def read(self) -> bytes | None:
        """All of it, once, for whoever has to read it; None where nobody does."""
        kept, self._kept = self._kept, None
        if kept is None:
            return None
        return kept[0] if len(kept) == 1 else b"".join(kept)
