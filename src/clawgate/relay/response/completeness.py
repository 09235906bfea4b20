"""Did an Anthropic stream that passes as it came really end? One that did not is not given a proper end."""

from __future__ import annotations

from typing import Any

from clawgate.errors import GatewayError, UpstreamClosed
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.writer import PassthroughWriter
from clawgate.wire.anthropic.stream_end import MessagesStreamEnd

_FAILED = 400
_STOP = b"event: message_stop"


class CompletenessCheckedWriter(PassthroughWriter):
    """An answer that passes byte for byte, but for the end of a stream in which no ``stop_reason`` came."""

    def __init__(self, head: ResponseHead, *, origin: str, **given: Any) -> None:
        super().__init__(head, **given)
        self._origin = origin
        self._end = MessagesStreamEnd() if self.event_stream and head.status < _FAILED else None
        self._passes = self._passes and self._end is None

    def feed(self, body: bytes) -> None:
        """Raises `UpstreamClosed` in front of a ``message_stop`` that nothing led to: clients stop reading there."""
        if self._end is None:
            super().feed(body)
            return
        self._end.feed(body)
        stop = body.find(_STOP)
        if stop >= 0 and self._end.stop_reason is None:
            super().feed(body[:stop])
            raise self._not_finished()
        super().feed(body)

    def flush(self, *, ended: bool) -> bytes:
        """Raises `UpstreamClosed` for an end that is none."""
        if ended and self._end is not None and not self._end.finished:
            raise self._not_finished()
        return super().flush(ended=ended)

    def _not_finished(self) -> UpstreamClosed:
        said = self._end is not None and self._end.said_error
        return UpstreamClosed(
            f"{self._origin} ended its stream {'after it told an error' if said else 'without a stop_reason'}"
        )

    def abort_message(self, error: GatewayError) -> bytes:
        """Nothing of ours behind an error of the upstream's own, which says more."""
        if self._end is not None and self._end.said_error:
            return self.flush(ended=False)
        return super().abort_message(error)
