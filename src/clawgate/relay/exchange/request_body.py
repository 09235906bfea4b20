"""Frames the body of one request for its upstream, bounds its size, and keeps it where it has to be read."""

from __future__ import annotations

from clawgate.errors import BodyTooLarge
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.wire.http.message import chunk

PEEK_BYTES = 1_048_576
"""The largest body that is kept only so that a log can name its model."""


class RequestBody:
    """The body of one request, as it comes; ``peeks`` to keep it for a log, up to `PEEK_BYTES`."""

    __slots__ = ("_chunked", "_kept", "_limit", "buffers", "size")

    def __init__(self, head: AdmittedHead, limit: int, *, peeks: bool) -> None:
        self.buffers = head.buffers_body
        """Whether nothing of it can be sent before all of it was read."""
        self.size = 0
        """Bytes of content so far."""
        self._chunked = head.chunked
        self._limit = limit
        self._kept: bytes | bytearray | None = b"" if self.buffers or peeks else None

    def feed(self, data: bytes) -> bytes:
        """Return what goes upstream for ``data``: nothing where the body is buffered. Raises `BodyTooLarge`."""
        self.size += len(data)
        if self.size > self._limit:
            raise BodyTooLarge(f"the body is over the limit of {self._limit} bytes")
        if self._kept is not None:
            if self.size > PEEK_BYTES and not self.buffers:
                self._kept = None
            else:
                self._keep(self._kept, data)
        if self.buffers:
            return b""
        return chunk(data) if self._chunked else data

    def _keep(self, kept: bytes | bytearray, data: bytes) -> None:
        """Keep ``data`` as it is where it is all, and else in one buffer: many small objects would cost far more."""
        if isinstance(kept, bytearray):
            kept += data
        elif kept:
            self._kept = bytearray(kept)
            self._kept += data
        else:
            self._kept = data

    @property
    def kept_bytes(self) -> int:
        """Bytes of content that are in memory here."""
        return len(self._kept) if self._kept is not None else 0

    def stop_peeking(self) -> None:
        """Keep nothing that is only for a log."""
        if not self.buffers:
            self._kept = None

    def read(self) -> bytes | None:
        """Return all of it, once; None where it was not kept."""
        kept, self._kept = self._kept, None
        return bytes(kept) if kept is not None else None
