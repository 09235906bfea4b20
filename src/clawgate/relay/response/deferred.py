"""Holds a response back until its first bytes show what it is, then hands all of it to the writer for that.

Some servers stream under another content type, and some report a failure with status 200: in front of the content of a
stream, or as the body. Where a fallback is configured, such a failure leads to it as long as nothing was sent. Where
there is none, only a body that is no event stream by its type waits, for its first byte.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from clawgate.errors import GatewayError, UpstreamClosed, UpstreamMalformed
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead, ResponseProgress, ResponseWriter
from clawgate.relay.response.closing import is_final
from clawgate.relay.response.progress import (
    HOLD_SECONDS,
    OPENING_LIMIT,
    note_event,
    note_open_event,
    only_opens,
)
from clawgate.relay.response.redact import masked_error
from clawgate.wire.responses import stream_end as responses
from clawgate.wire.sse.reader import Event, EventReader
from clawgate.wire.translate.errors import UNSPECIFIED, error_of_event, find_error

MAX_ERROR_BYTES = 65_536
"""A body from here on is no error."""

_EVENT_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM = b"\xef\xbb\xbf"
_LONGEST_BEGIN = 64
"""Bytes of a body that show whether it is an event stream."""
_BLANK = b" \t\r\n"


def begins_events(begin: bytes) -> bool | None:
    """Whether a body that begins so is an event stream; None where more of it has to come to know."""
    if _BOM.startswith(begin):
        return None
    begin = begin.removeprefix(_BOM).lstrip(_BLANK)
    if begin.startswith(_EVENT_STARTS):
        return True
    return None if any(start.startswith(begin) for start in _EVENT_STARTS) else False


def as_event_stream(head: ResponseHead) -> ResponseHead:
    """Return ``head`` with the content type that an event stream has."""
    content_type = b"text/event-stream; charset=utf-8"
    headers = [(name, value) for name, value in head.headers if name != b"content-type"]
    return replace(head, headers=[*headers, (b"content-type", content_type)], content_type=content_type)


class DeferredWriter(ABC):
    """Base of the writers that decide first; once they have, every call goes to the writer of their choice."""

    def __init__(
        self, head: ResponseHead, secrets: tuple[bytes, ...], extra_headers: bytes | None = None
    ) -> None:
        self._status = head.status
        self._secrets = secrets
        self._extra_headers = extra_headers
        self._held = bytearray()
        self._progress = ResponseProgress(content_started=False)
        self._writer: ResponseWriter | None = None

    @abstractmethod
    def _choose(self, body: bytes, *, ended: bool) -> ResponseWriter | None:
        """Return the writer now that ``body`` came, None to hold on. Raises `GatewayError` for a failure.

        With ``ended`` a writer has to be returned.
        """

    def feed(self, body: bytes) -> None:
        """Raises as the choice, and as the writer."""
        if self._writer is not None:
            self._writer.feed(body)
            return
        self._held += body
        self._decide(body, ended=False)

    def flush(self, *, ended: bool) -> bytes:
        """Return nothing while the response is held back; raises as `feed`."""
        if self._writer is None and ended:
            self._decide(b"", ended=True)
        return self._writer.flush(ended=ended) if self._writer is not None else b""

    def _decide(self, body: bytes, *, ended: bool) -> None:
        try:
            writer = self._choose(body, ended=ended)
        except GatewayError as error:
            raise masked_error(error, self._secrets) from None
        if writer is not None:
            self._hand_over(writer)

    def _hand_over(self, writer: ResponseWriter) -> None:
        self._writer = writer
        held, self._held = bytes(self._held), bytearray()
        if held:
            writer.feed(held)

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        return self._writer.passthrough(write) if self._writer is not None else None

    def on_silence(self, seconds: float) -> bytes:
        """Return what the writer does; nothing while the response is held back."""
        return self._writer.on_silence(seconds) if self._writer is not None else b""

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        return self._writer.abort_message(error) if self._writer is not None else (b"", False)

    @property
    def status(self) -> int:
        return self._writer.status if self._writer is not None else self._status

    @property
    def held_bytes(self) -> int:
        return self._writer.held_bytes if self._writer is not None else len(self._held)

    @property
    def progress(self) -> ResponseProgress:
        return self._writer.progress if self._writer is not None else self._progress

    @property
    def headers_pending(self) -> bool:
        return self._writer is None or self._writer.headers_pending

    @property
    def until_close(self) -> bool:
        return self._writer is not None and self._writer.until_close

    @property
    def defers_status(self) -> bool:
        return self._writer is not None and self._writer.defers_status

    @property
    def failure(self) -> GatewayError | None:
        return self._writer.failure if self._writer is not None else None

    @property
    def extra_headers(self) -> bytes | None:
        """Known before the choice: they depend on the head alone."""
        return self._extra_headers


class ByBytesWriter(DeferredWriter):
    """Recognises an event stream by its bytes, whatever its content type says.

    Blank space in front keeps a client waiting in both forms: it is passed on at once unless a stream was requested.
    ``otherwise`` is raised for a body that is none, where its content type is no model's.
    """

    def __init__(
        self,
        head: ResponseHead,
        secrets: tuple[bytes, ...],
        *,
        events: Callable[[], ResponseWriter],
        other: ResponseWriter,
        streams: bool,
        otherwise: GatewayError | None,
    ) -> None:
        super().__init__(head, secrets, other.extra_headers)
        self._events = events
        self._other = other
        self._streams = streams
        self._otherwise = otherwise

    def _choose(self, body: bytes, *, ended: bool) -> ResponseWriter | None:
        begin = self._held.lstrip(_BLANK)[:_LONGEST_BEGIN]
        found = begins_events(bytes(begin))
        if found:
            return self._events()
        waits = self._streams or bool(begin) or self._otherwise is not None
        if found is None and waits and not ended and len(self._held) < MAX_ERROR_BYTES:
            return None
        if self._otherwise is not None:
            raise self._otherwise
        return self._other


class FirstEventWriter(DeferredWriter):
    """Holds an event stream back until its first event with content, which may be a failure.

    Events that only open the response are held with it, but no longer than a client may go without a sign of life.
    """

    def __init__(
        self, head: ResponseHead, secrets: tuple[bytes, ...], writer: ResponseWriter, *, origin: str
    ) -> None:
        super().__init__(head, secrets)
        self._reader = EventReader()
        self._chosen = writer
        self._origin = origin
        self._has_opened = False

    def _choose(self, body: bytes, *, ended: bool) -> ResponseWriter | None:
        for event in self._reader.feed(body):
            if note_event(self._progress, event):
                self._check(event)
                if not only_opens(event) or len(self._held) > OPENING_LIMIT:
                    return self._chosen
                self._has_opened = True
        if not ended:
            if self._reader.open_bytes:
                note_open_event(self._progress, self._reader)
            return None
        rest = self._reader.close()
        if rest is not None and (error := find_error(rest.data or rest.raw)) is not None:
            raise error.as_failure(self._origin)
        raise UpstreamClosed(f"{self._origin} ended its stream before its content")

    def _check(self, event: Event) -> None:
        error = find_error(event.data or b"")
        if error is None and is_final(event) and responses.kind_of(event) is not responses.EventKind.FINISHED:
            error = error_of_event(event.data) if event.name == b"error" else UNSPECIFIED
        if error is not None:
            raise error.as_failure(self._origin)

    def on_silence(self, seconds: float) -> bytes:
        """Send the head after all, once it has been held for too long."""
        if self._writer is None and (self._has_opened or seconds >= HOLD_SECONDS):
            self._hand_over(self._chosen)
            return self._chosen.flush(ended=False)
        return super().on_silence(seconds)


class FirstByteWriter(DeferredWriter):
    """Holds the head of a body without a length back until its first byte, since there may be none."""

    def __init__(
        self, head: ResponseHead, secrets: tuple[bytes, ...], writer: ResponseWriter, *, origin: str
    ) -> None:
        super().__init__(head, secrets)
        self._chosen = writer
        self._origin = origin

    def _choose(self, body: bytes, *, ended: bool) -> ResponseWriter | None:
        if ended:
            raise UpstreamMalformed(f"{self._origin} sent an empty response")
        return self._chosen


class ErrorBodyWriter(DeferredWriter):
    """Holds a body back while it may be an error with status 200."""

    def __init__(
        self, head: ResponseHead, secrets: tuple[bytes, ...], writer: ResponseWriter, *, origin: str
    ) -> None:
        super().__init__(head, secrets, writer.extra_headers)
        self._chosen = writer
        self._origin = origin

    def _choose(self, body: bytes, *, ended: bool) -> ResponseWriter | None:
        self._progress.note_content()
        begin = bytes(self._held.lstrip(_BLANK)[:1])
        if begin not in (b"", b"{", b"["):
            raise UpstreamMalformed(f"{self._origin} sent no JSON, which every response of a model is")
        if len(self._held) > MAX_ERROR_BYTES:
            return self._chosen
        if not ended:
            return None
        if not begin:
            raise UpstreamMalformed(f"{self._origin} sent an empty response")
        if (error := find_error(bytes(self._held))) is not None:
            raise error.as_failure(self._origin)
        return self._chosen
