"""How far is one answer on its way to its client? What was sent of it, and how it can still end.

Joins a `ResponseWriter`, which knows what an answer looks like, to the `ClientConnection` that takes its bytes.
"""

from __future__ import annotations

from clawgate.errors import GatewayError
from clawgate.relay.interfaces import ChunkPassthrough, ClientConnection, ResponseWriter


class ResponseSender:
    """One answer that is told in pieces. What it is told raises `UpstreamFailed` where it cannot be understood."""

    __slots__ = ("_client", "_passed", "_passthrough", "_written", "writer")

    def __init__(self, writer: ResponseWriter, client: ClientConnection) -> None:
        self.writer = writer
        self._client = client
        self._written = 0
        self._passthrough: ChunkPassthrough | None = None
        self._passed = 0  # what had passed when that was asked last

    @property
    def started(self) -> bool:
        """Whether the client has got, or is about to get, what can only be finished and not be replaced."""
        return not self.writer.headers_pending and not self.writer.defers_status

    @property
    def sent(self) -> int:
        """Bytes of the answer that the client was sent, head and framing included."""
        return self._written + (self._passthrough.sent if self._passthrough is not None else 0)

    def send(self) -> None:
        """Send what can be sent of an answer that goes on."""
        self.write(self.writer.flush(ended=False))

    def passthrough(self) -> ChunkPassthrough | None:
        """Leave for the next chunks to pass."""
        found = self.writer.passthrough(self._client.write)
        if found is not None:
            self._passthrough = found
        return found

    def passthrough_active(self) -> bool:
        """Whether chunks have passed since this was asked last."""
        before = self._passed
        if self._passthrough is not None:
            self._passed = self._passthrough.sent
        return self._passed != before

    def abort(self, error: GatewayError) -> None:
        """End an answer that cannot be finished so that the client sees it: last words where they fit, a broken end."""
        words = self.writer.abort_message(error)
        self.write(words)
        self._client.abort_response(at_once=self.writer.until_close and not words)

    def write(self, data: bytes) -> None:
        """Send these bytes of the answer."""
        if data:
            self._written += len(data)
            self._client.write(data)
