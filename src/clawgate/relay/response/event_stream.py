"""Sends an event stream event by event: one reader at the bottom, filters above it, then translation and redaction.

A client gets complete events only, so an error event always fits behind them. The stream is framed anew: what the
upstream announced as its length says nothing about what the client gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from msgspec.structs import replace

from clawgate.errors import GatewayError, UpstreamFailed
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead, ResponseProgress
from clawgate.relay.response.closing import is_final, reports_error
from clawgate.relay.response.error_response import encode_error_event, error_members
from clawgate.relay.response.head import Framing, ResponseOptions, encode_head, header_lines
from clawgate.relay.response.progress import (
    HOLD_SECONDS,
    OPENING_LIMIT,
    note_event,
    note_open_event,
    only_opens,
)
from clawgate.relay.response.redact import masked, masked_error, masked_fully, secrets_in_content
from clawgate.relay.response.served_model import ServedModelFilter
from clawgate.relay.response.translated import EVENT_STREAM_LINES, translated_lines
from clawgate.wire.anthropic.stream_end import is_keepalive
from clawgate.wire.dialect import Dialect
from clawgate.wire.responses.stream_end import number_of
from clawgate.wire.sse.reader import Event, EventReader
from clawgate.wire.translate.exchange import Translation

_COMMENT = b": keep-alive\n\n"
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
"""Anthropic's own (its documentation of streaming), which its clients expect behind ``message_start`` only."""
_RESPONSE_FAILED = b"event: response.failed\n"
"""Begins the last event of a Responses stream that is whole although it failed. Codex CLI (0.171) shows what that event
reports only if the transfer ends in order."""


class EventFilter(Protocol):
    """One look at each event of a stream: passes it on, holds it back, or raises `UpstreamFailed`.

    ``failure`` is one that the upstream reported in a stream which ended as it should.
    """

    @property
    def failure(self) -> UpstreamFailed | None: ...
    def feed(self, event: Event) -> Iterator[Event]:
        """Yield what passes now that ``event`` came."""

    def close(self) -> Iterator[Event]:
        """Yield what was held back, now that the stream has ended in order."""


class EventStreamWriter:
    """Writes one event stream of a successful response.

    A failure in front of all content has a status of its own unless the head was sent before; one behind content never
    has, however the bytes arrived. With ``maps_errors`` a filter maps failures: then the head is held back until there
    is content, and a failure may lack its blank line. With ``has_fallback`` what only opens a response is no content.
    """

    extra_headers: bytes | None = None
    defers_status = False
    failure: GatewayError | None = None
    """Set at the end, see `EventFilter.failure`."""

    def __init__(
        self,
        head: ResponseHead,
        options: ResponseOptions,
        *,
        filters: Sequence[EventFilter] = (),
        translation: Translation | None = None,
        maps_errors: bool = False,
        has_fallback: bool = False,
        served: ServedModelFilter | None = None,
    ) -> None:
        self.status = head.status
        self._started = False  # whether the client has the head
        self._has_opened = self._has_content = False
        self.progress = ResponseProgress(content_started=False)
        self._framing = Framing(None, http10=options.http10)
        self.until_close = self._framing.until_close
        if translation is not None:
            lines = translated_lines(head, options) + EVENT_STREAM_LINES
        else:
            lines = header_lines(head, options)
        self._head = encode_head(head.status, lines, self._framing, close=options.close, event_stream=True)
        self._dialect = options.dialect
        self._secrets = options.secrets
        self._content_secrets = secrets_in_content(options.secrets)
        self._reader = EventReader()
        self._filters = filters
        self._translation = translation
        self._maps_errors = maps_errors
        self._has_fallback = has_fallback
        self._served = served
        self._out: list[bytes] = []
        self._last: Event | None = None  # with content that the client was sent
        self._last_counted: Event | None = None  # or a keep-alive with a number
        self._error_event = b""  # of the upstream's stream, translated

    @property
    def headers_pending(self) -> bool:
        return not (self._started or self._has_content)

    @property
    def held_bytes(self) -> int:
        return self._reader.open_bytes + (
            self._translation.held_bytes if self._translation is not None else 0
        )

    def feed(self, body: bytes) -> None:
        """Raises `UpstreamFailed` for a stream that fails; what came before the failure is kept."""
        try:
            for event in self._reader.feed(body):
                is_progress = note_event(self.progress, event)
                for passed in self._filtered(event):
                    self._encode(passed)
                    self._has_opened = self._has_opened or is_progress
                    self._has_content = self._has_content or (is_progress and not self._only_opens(event))
            if self._reader.open_bytes:
                note_open_event(self.progress, self._reader)
        except GatewayError as error:
            raise masked_error(error, self._secrets) from None

    def flush(self, *, ended: bool) -> bytes:
        """Return the head and the complete events so far; raises `UpstreamFailed` for a stream that did not finish."""
        if ended:
            try:
                self._finish()
            except GatewayError as error:
                raise masked_error(error, self._secrets) from None
        elif self._maps_errors and self.headers_pending:
            return b""
        return self._take(b"") + (self._framing.end() if ended else b"")

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        return None

    def on_silence(self, seconds: float) -> bytes:
        """Return a comment or a ping between two events, and a head that was held for too long."""
        waits = self._maps_errors and self.headers_pending and not self._has_opened and seconds < HOLD_SECONDS
        if self._is_closed or waits:
            return b""
        is_ping = self._dialect is Dialect.MESSAGES and self._has_opened
        return self._take(_PING if is_ping else _COMMENT)

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        """Return what passed before the failure, and an error event unless the client has seen a final one."""
        closing = b""
        if not self._is_closed:
            closing = self._error_event or self._failure_event(error)
        sent = self._take(closing)
        if _RESPONSE_FAILED in closing:
            sent += self._framing.end()
        return sent, bool(closing) or reports_error(self._last)

    def _failure_event(self, error: GatewayError) -> bytes:
        made = b""
        if self._translation is not None:
            made = self._translation.failure_event(**error_members(error, self._dialect))
            made = masked(made, self._content_secrets)  # it may repeat what came before
        return made or encode_error_event(error, self._dialect, self._last_counted)

    def _only_opens(self, event: Event) -> bool:
        """Whether a fallback may still serve the request, although ``event`` came."""
        return self._has_fallback and only_opens(event) and sum(map(len, self._out)) <= OPENING_LIMIT

    @property
    def _is_closed(self) -> bool:
        if self._translation is not None:
            return self._translation.finished
        return self._last is not None and is_final(self._last)

    def _filtered(self, event: Event) -> Iterable[Event]:
        """Run ``event`` through all filters, lazily: what passes before one raises is passed."""
        if not self._filters:
            return (event,)
        return _through(self._filters[1:], self._filters[0].feed(event))

    def _closed(self) -> Iterator[Event]:
        """Close each filter; what it held back passes those above it."""
        for number, one in enumerate(self._filters, 1):
            yield from _through(self._filters[number:], one.close())

    def _encode(self, event: Event) -> None:
        if self._translation is None:
            self._out.append(event.raw)
            if not is_keepalive(event):
                self._last = self._last_counted = event
            elif number_of(event) is not None:
                self._last_counted = event
            return
        if event.data is not None and (data := masked(event.data, self._content_secrets)) is not event.data:
            event = replace(event, data=data)  # packed into an id, it would be hidden from the mask below
        try:
            self._translation.feed(event, self._out)
        except GatewayError:
            self._error_event = masked_fully(self._translation.error_event(), self._secrets)
            raise

    def _finish(self) -> None:
        """End the stream. What follows its last blank line is no event (WHATWG), unless it is the failure."""
        rest = self._reader.close()
        if rest is not None and self._maps_errors and reports_error(rest):
            list(self._filtered(rest))  # raises the mapped failure
        for event in self._closed():
            self._encode(event)
        self.failure = next((one.failure for one in self._filters if one.failure is not None), None)
        if self._translation is not None:
            self._translation.end(self._out)
        elif rest is not None:
            self._out.append(rest.raw)

    def _take(self, closing: bytes) -> bytes:
        self._started = True
        head, self._head = self._head, b""
        if self._served is not None:
            head = self._served.corrected(head)
        out, self._out = self._out, []
        body = masked(out[0] if len(out) == 1 else b"".join(out), self._content_secrets)
        return head + self._framing.frame(body + closing)


def _through(filters: Sequence[EventFilter], events: Iterable[Event]) -> Iterable[Event]:
    for one in filters:
        events = chain.from_iterable(map(one.feed, events))
    return events
