"""Sends one complete response for an event stream that the client did not request.

Some servers stream whatever was requested. A failure in such a stream always has a status of its own: nothing is sent
before the stream is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from clawgate.errors import GatewayError
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.closing import reports_error
from clawgate.relay.response.event_stream import EventFilter, EventStreamWriter
from clawgate.relay.response.head import Framing, ResponseOptions, encode_head, header_lines
from clawgate.relay.response.redact import masked, masked_error, secrets_in_content
from clawgate.relay.response.served_model import ServedModelFilter
from clawgate.relay.response.translated import translated_lines
from clawgate.wire.anthropic.assembly import MessageAssembler
from clawgate.wire.dialect import Dialect
from clawgate.wire.openai.assembly import ChatAssembler
from clawgate.wire.responses import assembly
from clawgate.wire.sse.reader import Event, EventReader
from clawgate.wire.translate.errors import error_of_event
from clawgate.wire.translate.exchange import Translation

_OWN = (b"content-type",)


class ResponseAssembler(Protocol):
    """Takes the events of a stream in the client's dialect, and makes the complete response of them."""

    held_bytes: int

    def feed(self, event: Event) -> object:
        """Raises `UpstreamMalformed`."""

    def complete(self) -> bytes:
        """Return the response; raises `UpstreamClosed` if the stream did not finish."""


_ASSEMBLERS: Mapping[Dialect, Callable[[], ResponseAssembler]] = {
    Dialect.CHAT: ChatAssembler,
    Dialect.RESPONSES: assembly.ResponseAssembler,
    Dialect.MESSAGES: MessageAssembler,
}


class AssembledWriter(EventStreamWriter):
    """Reads the stream as `EventStreamWriter` does, and sends what the events make together."""

    def __init__(
        self,
        head: ResponseHead,
        options: ResponseOptions,
        *,
        origin: str,
        filters: Sequence[EventFilter] = (),
        translation: Translation | None = None,
        maps_errors: bool = False,
        served: ServedModelFilter | None = None,
    ) -> None:
        super().__init__(
            head, options, filters=filters, translation=translation, maps_errors=maps_errors, served=served
        )
        if translation is not None:
            self._lines = translated_lines(head, options)
        else:
            self._lines = header_lines(head, options, without=_OWN)
        self.until_close = False
        self._options = options
        self._origin = origin
        self._assembler: ResponseAssembler = _ASSEMBLERS[options.dialect]()
        self._translated = EventReader()

    @property
    def held_bytes(self) -> int:
        return super().held_bytes + self._assembler.held_bytes

    @property
    def headers_pending(self) -> bool:
        return not self._started

    def flush(self, *, ended: bool) -> bytes:
        """Return nothing before the stream has ended; raises as that of a stream does."""
        try:
            if ended:
                self._finish()
            self._assemble()
            if not ended:
                return b""
            body = masked(self._assembler.complete(), secrets_in_content(self._options.secrets))
        except GatewayError as error:
            raise masked_error(error, self._options.secrets) from None
        self._started = True
        framing = Framing(len(body), http10=self._options.http10)
        lines = self._served.corrected(self._lines) if self._served is not None else self._lines
        lines += b"content-type: application/json\r\n"
        return encode_head(self.status, lines, framing, close=self._options.close) + body

    def _assemble(self) -> None:
        out, self._out = self._out, []
        for encoded in out:
            for event in self._translated.feed(encoded):
                if reports_error(event):
                    raise error_of_event(event.data).as_failure(self._origin)
                self._assembler.feed(event)

    def on_silence(self, seconds: float) -> bytes:
        """Return nothing: there is no response before the stream is complete."""
        return b""

    def abort_message(self, error: GatewayError) -> tuple[bytes, bool]:
        """Return nothing: nothing was sent."""
        return b"", False
