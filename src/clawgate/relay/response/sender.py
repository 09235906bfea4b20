"""Sends one response to its client: joins a `ResponseWriter`, which encodes it, to the `ClientConnection`.

Counts what was sent, and knows how a response that cannot be completed has to end.
"""

from __future__ import annotations

from clawgate.errors import GatewayError
from clawgate.relay.interfaces import ChunkPassthrough, ClientConnection, ResponseWriter
from clawgate.relay.response.progress import has_content

KEEPALIVE_SECONDS = 10.0
"""After how much silence a client is shown that its stream is alive. Claude Code warns after 20 s, as its users report,
and proxies in between give up after 60 s (nginx: `proxy_read_timeout`)."""


class ResponseSender:
    """One response; `send` raises `UpstreamFailed` for one that makes no sense."""

    __slots__ = ("_client", "_passed", "_passthrough", "_quiet_since", "_sent_before", "_written", "writer")

    def __init__(self, writer: ResponseWriter, client: ClientConnection) -> None:
        self.writer = writer
        self._client = client
        self._written = 0
        self._passthrough: ChunkPassthrough | None = None
        self._passed = 0  # bytes that `has_progressed` has seen
        self._sent_before = -1  # bytes at the last check of silence
        self._quiet_since = 0.0

    @property
    def started(self) -> bool:
        """Whether the client was sent a status, which can only be finished and not be replaced."""
        return not self.writer.headers_pending and not self.writer.defers_status

    @property
    def sent(self) -> int:
        """Bytes that the client was sent, head and framing included."""
        return self._written + (self._passthrough.sent if self._passthrough is not None else 0)

    def send(self) -> None:
        """Send what can be sent while the response is not complete."""
        self.write(self.writer.flush(ended=False))

    def passthrough(self) -> ChunkPassthrough | None:
        """Return a passthrough for the next chunks, or None if each has to be fed to the writer."""
        passthrough = self.writer.passthrough(self._client.write)
        if passthrough is not None:
            self._passthrough = passthrough
        return passthrough

    def has_progressed(self) -> bool:
        """Whether content arrived since the last call, through the writer or past it."""
        progressed = self.writer.progress.has_progressed()
        if self._passthrough is not None and self._passthrough.sent != self._passed:
            self._passed = self._passthrough.sent
            progressed = progressed or has_content(self._passthrough.last_content)
        return progressed

    def keep_alive(self, now: float) -> None:
        """Show a client that waits that its stream is alive. Called about once a second; raises as `send`."""
        sent = self.sent
        if sent != self._sent_before:
            self._sent_before, self._quiet_since = sent, now
        elif now - self._quiet_since >= KEEPALIVE_SECONDS:
            self.write(self.writer.on_silence(now - self._quiet_since))

    def abort(self, error: GatewayError) -> None:
        """End a response that cannot be completed, with an error event if one fits, and a broken transfer."""
        data, has_error_event = self.writer.abort_message(error)
        self.write(data)
        # Where the end of the connection ends the body, only a reset shows that something is missing.
        at_once = self.writer.until_close and not has_error_event
        self._client.abort_response(error, at_once=at_once, reported=has_error_event)

    def write(self, data: bytes) -> None:
        if data:
            self._written += len(data)
            self._client.write(data)
