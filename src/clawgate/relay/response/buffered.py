"""Buffers a response and sends what is made of it: a translated response, a mapped error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clawgate.errors import GatewayError, UpstreamMalformed
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead, ResponseProgress
from clawgate.relay.response.head import Framing, ResponseOptions, encode_head
from clawgate.relay.response.redact import masked_error
from clawgate.wire.sse.reader import MAX_EVENT_BYTES

LIMIT = MAX_EVENT_BYTES
"""The largest body that is buffered, as the largest event of a stream: images are megabytes, not more. One is read in a
single turn of the loop, 0.02 s for each MB at worst."""
_PEEK = 64
"""Where an object has begun by then, the body may be a response."""


@dataclass(frozen=True, slots=True)
class MadeResponse:
    """What is sent in place of the upstream's response; its header ``lines`` contain no framing."""

    status: int
    lines: bytes
    body: bytes
    is_event_stream: bool = False
    failure: GatewayError | None = None
    """The error that the response reports instead of the upstream's."""


class BufferedWriter:
    """Sends what ``make`` returns for the complete body. ``make`` raises `UpstreamFailed` for one that makes no sense.

    ``maps_status``: the status is known only then. ``only_json``: fails early for a body that is no JSON object.
    """

    extra_headers: bytes | None = None
    failure: GatewayError | None = None
    until_close = False

    def __init__(
        self,
        head: ResponseHead,
        options: ResponseOptions,
        make: Callable[[bytes], MadeResponse],
        *,
        origin: str,
        maps_status: bool = False,
        only_json: bool = False,
    ) -> None:
        self.status = head.status
        self.headers_pending = True
        self.defers_status = maps_status
        self._options = options
        self._make = make
        self._origin = origin
        self._only_json = only_json
        self._body = bytearray()
        self.progress = ResponseProgress(content_started=True)

    @property
    def held_bytes(self) -> int:
        return len(self._body)

    def feed(self, body: bytes) -> None:
        """Raises `UpstreamMalformed` for a body that is too large, or not of the kind that was requested."""
        self.progress.note_content()
        self._body += body
        if self._only_json and bytes(self._body[:_PEEK]).lstrip()[:1] not in (b"", b"{"):
            raise UpstreamMalformed(f'{self._origin} sent no event stream although "stream" was requested')
        if len(self._body) > LIMIT:
            raise UpstreamMalformed(f"{self._origin} sent a response body of over {LIMIT} bytes")

    def flush(self, *, ended: bool) -> bytes:
        """Return nothing before the body is complete; raises as ``make`` does."""
        if not ended:
            return b""
        try:
            made = self._make(bytes(self._body))
        except GatewayError as error:
            raise masked_error(error, self._options.secrets) from None
        self.headers_pending = False
        self.status = made.status
        self.failure = made.failure
        framing = Framing(None if made.is_event_stream else len(made.body), http10=self._options.http10)
        head = encode_head(
            made.status, made.lines, framing, close=self._options.close, event_stream=made.is_event_stream
        )
        return head + framing.frame(made.body) + framing.end()

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        return None

    def on_silence(self, seconds: float) -> bytes:
        return b""

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        return b"", False
