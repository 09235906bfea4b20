"""Did an Anthropic stream that passes as it came really end? One that did not is not given a proper end."""

from __future__ import annotations

from typing import Any

from clawgate.errors import UpstreamClosed
from clawgate.relay.answer import AnswerWriter
from clawgate.relay.sides import AnswerHead
from clawgate.wire.messages_end import StreamEnd

_FAILED = 400


class WatchedAnswer(AnswerWriter):
    """An answer that passes byte for byte, but for the end of a stream in which no ``stop_reason`` came."""

    def __init__(self, head: AnswerHead, *, origin: str, **given: Any) -> None:
        super().__init__(head, **given)
        self._origin = origin
        self._end = StreamEnd() if self.event_stream and head.status < _FAILED else None
        self.passes_chunks = self.passes_chunks and self._end is None

    def add(self, body: bytes) -> None:
        if self._end is not None:
            self._end.feed(body)
        super().add(body)

    def take(self, *, ended: bool) -> bytes:
        """Raises `UpstreamClosed` for an end that is none."""
        if ended and self._end is not None and not self._end.finished:
            why = "after it told an error" if self._end.said_error else "without a stop_reason"
            raise UpstreamClosed(f"{self._origin} ended its stream {why}")
        return super().take(ended=ended)
