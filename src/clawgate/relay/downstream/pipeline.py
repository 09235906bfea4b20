"""Buffers the bytes that a client sends behind a request whose response is not out yet.

Requests are taken from it in small steps: a request must not cost anything for those that wait behind it.
"""

from __future__ import annotations

PIPELINE_LIMIT = 65_536
"""Bytes that may wait. With more of them the connection is not read."""
PIPELINE_STEP = 8_192


class PipelineBuffer:
    """The bytes that wait on one connection, in the order in which they came."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)
        self._at = 0  # what lies before it was taken

    def __len__(self) -> int:
        return len(self._data) - self._at

    @property
    def is_full(self) -> bool:
        return len(self) > PIPELINE_LIMIT

    def append(self, data: bytes) -> None:
        self._data += data

    def pop(self) -> bytes:
        """Take the next bytes, at most `PIPELINE_STEP`."""
        if self._at > PIPELINE_LIMIT:
            del self._data[: self._at]
            self._at = 0
        step = bytes(self._data[self._at : self._at + PIPELINE_STEP])
        self._at += len(step)
        return step

    def put_back(self, count: int) -> None:
        """Return the last ``count`` bytes of the last `pop`."""
        self._at -= count
