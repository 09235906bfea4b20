"""Passes a response's body on as it came; only a credential of ours that is repeated in it is masked.

An event stream is read beside that, to know whether its content has begun and what may follow where it breaks.
"""

from __future__ import annotations

from collections.abc import Callable

from clawgate.errors import GatewayError, UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead, ResponseProgress
from clawgate.relay.response.chunk_passthrough import SHORTEST_CONTENT
from clawgate.relay.response.closing import closing_event, is_final, lacks_only_its_end, reports_error
from clawgate.relay.response.error_response import encode_error_event
from clawgate.relay.response.head import (
    FAILED,
    NOT_STORED,
    OWN_PREFIX,
    Framing,
    ResponseOptions,
    encode_head,
    header_lines,
    is_event_stream,
    relayed_lines,
)
from clawgate.relay.response.progress import note_event, note_open_event
from clawgate.relay.response.redact import BodyMask, secrets_in_content
from clawgate.wire.anthropic.stream_end import is_keepalive
from clawgate.wire.openai.stream_end import is_last_event
from clawgate.wire.responses.stream_end import number_of
from clawgate.wire.sse.reader import Event, EventReader

_NO_CONTENT = 204
_EVENT = (b"data:", b"event: c", b"event: m", b"event: r")
"""How an event with content begins: in Anthropic's streams content_block or message, in OpenAI's response."""


class PassthroughWriter:
    """One response for one client, byte for byte."""

    headers_pending = False
    defers_status = False
    failure: GatewayError | None = None
    extra_headers: bytes | None = None
    _mask: BodyMask | None = None
    _reader: EventReader | None = None
    _passthrough: ChunkPassthrough | None = None
    _passed = 0  # bytes of it that `_read_latest` need not look at
    _unread = b""
    _last: Event | None = None  # with content
    _last_but_one: Event | None = None
    _last_counted: Event | None = None  # or a keep-alive with a number

    def __init__(self, head: ResponseHead, options: ResponseOptions) -> None:
        self.status = head.status
        self._dialect = options.dialect
        is_gateway = bool(options.attribution_headers)
        event_stream = is_event_stream(head)
        self.progress = ResponseProgress(content_started=not event_stream)
        bodiless = options.bodiless
        length = None if bodiless and head.status == _NO_CONTENT else head.length
        self._ends_with_connection = length is None and not (bodiless or head.chunked)
        # Bridge and server pass an end that shows a failure as it came, see docs/decisions/0010.
        self._checks_end = is_gateway and event_stream and not bodiless and head.status < FAILED
        self._framing = Framing(
            None if self._checks_end else length, http10=options.http10, bodiless=bodiless
        )
        self.until_close = self._framing.until_close
        self._secrets: tuple[bytes, ...] = ()
        if not head.encoded:
            if head.status >= FAILED:
                self._secrets = options.secrets
            elif is_gateway:
                self._secrets = secrets_in_content(options.secrets)
        if self._secrets:
            self._mask = BodyMask(self._secrets, fully=head.status >= FAILED)
        if event_stream:
            self._reader = EventReader()
        self._passes_chunks = event_stream and self._framing.chunked and head.status < FAILED
        self._out: list[bytes] = []
        lines, own = (header_lines(head, options), NOT_STORED) if is_gateway else relayed_lines(head, options)
        self._head = encode_head(
            head.status, lines, self._framing, close=options.close, event_stream=event_stream
        )
        unchanged = (
            length is not None and head.status < FAILED and not (bodiless or options.close or event_stream)
        )
        if unchanged and not (is_gateway and any(name.startswith(OWN_PREFIX) for name, _ in head.headers)):
            names = b" ".join(name for name, _ in head.headers)
            if not any(secret.lower() in names for secret in options.secrets):
                self.extra_headers = own

    @property
    def held_bytes(self) -> int:
        return self._reader.open_bytes if self._reader is not None else 0

    def feed(self, body: bytes) -> None:
        """Add bytes of the body, as they came."""
        self._out.append(body if self._mask is None else self._mask.feed(body))
        reader = self._reader
        if reader is None:
            self.progress.note_content()
        elif (
            len(body) >= SHORTEST_CONTENT
            and body.startswith(_EVENT)
            and body.endswith(b"\n\n")
            and reader.is_between_events
        ):
            # Complete events, as nearly always: only the last of them may have to be read.
            self._unread = body
            self._passed = self._passthrough.sent if self._passthrough is not None else 0
            self.progress.note_content()
        else:
            self._read_latest()
            self._read(body, reader)

    def flush(self, *, ended: bool) -> bytes:
        """Return what can be sent now; raises `UpstreamFailed` in a gateway for a stream that shows that it failed."""
        if ended:
            self._check_end()
            if self._mask is not None:
                self._out.append(self._mask.flush())
        return self._take() + (self._framing.end() if ended else b"")

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """Return a passthrough for the next chunks, or None if each chunk must go through `feed`."""
        if not (self._passes_chunks and self.progress.content_started):
            return None
        if self._reader is None or not self._reader.is_between_events:
            return None
        if self._mask is not None and self._mask.holds_back:
            return None
        if self._passthrough is None:
            self._passthrough = ChunkPassthrough(write, self._secrets)
        return self._passthrough

    def on_silence(self, seconds: float) -> bytes:
        """Return nothing: the client gets what the upstream sends."""
        return b""

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        """Return what was held back and, behind an event stream, an error event where one fits."""
        if self._mask is not None:
            self._out.append(self._mask.flush())
        closing = b""
        if self._reader is not None and self._framing.length is None:
            self._read_latest()
            event = encode_error_event(error, self._dialect, self._last_counted)
            closing = closing_event(self._reader, self._last, event)
        rest = self._take()
        return rest + self._framing.frame(closing), bool(closing) or reports_error(self._last)

    def _take(self) -> bytes:
        head, self._head = self._head, b""
        out, self._out = self._out, []
        return head + self._framing.frame(out[0] if len(out) == 1 else b"".join(out))

    def _read_latest(self) -> None:
        """Read the latest of the events that were not read: those before it can no longer matter."""
        events, self._unread = self._unread, b""
        passthrough = self._passthrough
        if passthrough is not None and passthrough.sent != self._passed:
            self._passed = passthrough.sent
            events = passthrough.last_content
        if self._reader is not None:
            self._keep_last(self._reader.feed(events))

    def _read(self, body: bytes, reader: EventReader) -> None:
        try:
            events = reader.feed(body)
        except (
            UpstreamMalformed
        ):  # an event that is too large to be kept passes all the same, and is not read on
            self._reader = None
            self.progress.note_content()
            return
        self._keep_last(events)
        for event in events:
            note_event(self.progress, event)
        if reader.open_bytes:
            note_open_event(self.progress, reader)

    def _keep_last(self, events: list[Event]) -> None:
        for event in events:
            if not is_keepalive(event):
                self._last_but_one, self._last = self._last, event
                self._last_counted = event
            elif number_of(event) is not None:
                self._last_counted = event

    def _check_end(self) -> None:
        if not self._checks_end or self._reader is None:
            return
        self._read_latest()
        last = self._last
        if last is None and not self._reader.open_bytes:
            raise UpstreamClosed("the upstream ended its stream before its content")
        if self._ends_with_connection and not (last is not None and is_final(last)):
            rest = self._reader.close()
            if rest is not None and (rest.name or rest.data is not None) and not lacks_only_its_end(rest):
                raise UpstreamClosed("the upstream closed the connection in the middle of an event")
        if last is not None and is_last_event(last):
            last = self._last_but_one
        if reports_error(last):
            raise UpstreamFailed("the upstream's stream ended with an error event")
