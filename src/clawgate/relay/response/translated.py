"""How does an answer in the upstream's dialect reach a client that speaks another one?

The counterpart of `relay.response.writer` where bytes cannot pass as they came. A stream goes on event by event, as it
arrives; everything else is read whole first, within a bound; a whole answer where a stream was asked for becomes
a stream of one piece. What a `Translation` cannot understand is the upstream's failure, and so is an error at status
200.
"""

from __future__ import annotations

from collections.abc import Callable

from clawgate.errors import GatewayError, UpstreamMalformed
from clawgate.policy.headers import lines_to_client
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead
from clawgate.relay.response.error_response import stream_event
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import LAST_CHUNK, STATUS_LINE, chunk
from clawgate.wire.sse.tail import FirstEventDetector, StreamTail
from clawgate.wire.translate.translator import Translation

WHOLE_LIMIT = 64 * 1024 * 1024
"""The largest answer that is read whole to be translated: images in an answer are megabytes, not more."""
_PEEK = 64
"""Where an object has begun by then, it may be an answer."""
_FAILED = 400
_OURS = b"x-clawgate-"
_RENAMED = {
    Dialect.CHAT: {b"request-id": b"x-request-id"},
    Dialect.MESSAGES: {b"x-request-id": b"request-id"},
}
"""Where each dialect's clients look for the id of a request (read by the SDKs of OpenAI and Anthropic)."""


class TranslatingWriter:
    """One answer, translated. ``names`` are head lines that say who served; ``client`` is the client's dialect."""

    extra_headers: bytes | None = None
    failure: GatewayError | None = None
    defers_status = False

    def __init__(
        self,
        head: ResponseHead,
        translation: Translation,
        *,
        client: Dialect,
        http10: bool,
        close: bool,
        secrets: tuple[bytes, ...],
        names: bytes,
        origin: str,
    ) -> None:
        if head.encoded:
            raise UpstreamMalformed(f"{origin} compressed its answer, which cannot be translated")
        event_stream = head.content_type[:17].lower() == b"text/event-stream"
        self.status = head.status
        self._failed = head.status >= _FAILED
        if not self._failed and event_stream and not translation.streams:
            raise UpstreamMalformed(f"{origin} was asked for no stream and answered with one")
        self._translation = translation
        self._client = client
        self._origin = origin
        self._secrets = secrets
        self._streams = translation.streams and not self._failed
        self._reads_whole = not event_stream or self._failed
        self._chunked = self._streams and not http10
        self.until_close = self._streams and http10
        self.content_started = self._reads_whole
        self._first_event = FirstEventDetector()
        self._out: list[bytes] = []
        self._whole = bytearray()
        self._tail = StreamTail()
        self._lines = STATUS_LINE[head.status] + self._lines_of(head) + names
        if close or self.until_close:
            self._lines += b"connection: close\r\n"
        self.headers_pending = True

    def _lines_of(self, head: ResponseHead) -> bytes:
        renamed = _RENAMED.get(self._client, {})
        lines = lines_to_client(
            (renamed.get(name, name), value)
            for name, value in head.headers
            if name not in (b"content-type", b"cache-control") and not name.startswith(_OURS)
        )
        for secret in self._secrets:
            lines = lines.replace(secret, b"*" * len(secret))
        return lines

    def feed(self, body: bytes) -> None:
        """Bytes of the upstream's body. Raises `UpstreamFailed`."""
        if not self.content_started:
            self.content_started = self._first_event.feed(body)
        if not self._reads_whole:
            try:
                self._out.append(self._without_secrets(self._translation.feed(body)))
            except GatewayError as error:
                # What came in front of it was said, however the bytes were cut on their way.
                self._out.append(self._without_secrets(self._translation.unsaid()))
                raise self._masked(error) from None
            return
        self._whole += body
        if self._streams and bytes(self._whole[:_PEEK]).lstrip()[:1] not in (b"", b"{"):
            raise UpstreamMalformed(f"{self._origin} was asked for a stream and answered with none")
        if len(self._whole) > WHOLE_LIMIT:
            raise UpstreamMalformed(f"{self._origin} sent over {WHOLE_LIMIT} bytes as one answer")

    def flush(self, *, ended: bool) -> bytes:
        """What is to be sent now. Raises `UpstreamFailed` where the upstream ended before its answer was whole."""
        if self._reads_whole:
            return self._take_whole() if ended else b""
        end = (
            self._translation.end() if ended else b""
        )  # first: where it raises, what has come is still there
        body = self._taken() + end
        self._tail.add(body)
        return self._stream_head() + self._framed(body) + (LAST_CHUNK if ended and self._chunked else b"")

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def _framed(self, body: bytes) -> bytes:
        return chunk(body) if self._chunked and body else body

    def _stream_head(self) -> bytes:
        if not self.headers_pending:
            return b""
        self.headers_pending = False
        return b"%bcontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n%b%b\r\n" % (
            self._lines,
            b"x-accel-buffering: no\r\n",
            b"transfer-encoding: chunked\r\n" if self._chunked else b"",
        )

    def _take_whole(self) -> bytes:
        whole = bytes(self._whole)
        if self._failed:
            body = self._without_secrets(self._translation.refusal(self.status, whole))
        else:
            try:
                if self._streams:
                    body = self._without_secrets(self._translation.answer_as_stream(whole))
                    return self._stream_head() + self._framed(body) + (LAST_CHUNK if self._chunked else b"")
                body = self._without_secrets(self._translation.answer(whole))
            except GatewayError as error:
                raise self._masked(error) from None
        self.headers_pending = False
        return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            self._lines,
            len(body),
            body,
        )

    def _without_secrets(self, out: bytes) -> bytes:
        """``out`` without the credential that we sent, whoever repeats it."""
        for secret in self._secrets:
            if secret in out:
                out = out.replace(secret, b"*" * len(secret))
        return out

    def _masked(self, error: GatewayError) -> GatewayError:
        """``error`` without what we sent: it may hold the upstream's words."""
        said = error.message
        for secret in self._secrets:
            said = said.replace(secret.decode("utf-8", "replace"), "*" * len(secret))
        return error if said == error.message else error.with_message(said)

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """None: nothing passes as it came."""
        return None

    def abort_message(self, error: GatewayError) -> bytes:
        """What a stream that cannot be finished may still say; never its proper end."""
        if not self._streams:
            return b""
        rest = self._taken()
        self._tail.add(rest)
        words = rest + self._tail.closing_chunk(stream_event(error, self._client))
        return self._stream_head() + self._framed(words)
