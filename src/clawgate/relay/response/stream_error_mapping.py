"""Maps the failures that an upstream reports in its event stream, for a provider whose plugin knows what they are.

A failure in front of all content has a status, like every other failure; behind content, its event says what it is. The
end of a message is held back until the next event: some proxies end a message normally and report the failure then
(read: opencode-claude-max-proxy), when clients have stopped reading.
"""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.errors import UpstreamClosed, UpstreamFailed
from clawgate.relay.response.error_mapping import MapError, upstream_failure
from clawgate.wire.anthropic.stream_end import EventKind, kind_of
from clawgate.wire.dialect import Dialect
from clawgate.wire.openai.stream_end import ChatStreamEnd
from clawgate.wire.responses import stream_end as responses
from clawgate.wire.sse.reader import Event

_OK = 200


class ErrorMappingFilter:
    """Raises the mapped failure in place of the event that reports it.

    ``upstream`` is the dialect of the stream: in chat completions a response without content is a failure, too.
    """

    failure: UpstreamFailed | None = None

    def __init__(self, map_error: MapError, *, upstream: Dialect | None) -> None:
        self._map_error = map_error
        self._upstream = upstream
        self._chat_end = ChatStreamEnd() if upstream is Dialect.CHAT else None
        self._end: list[Event] = []  # of the message

    def feed(self, event: Event) -> Iterator[Event]:
        """Raises `UpstreamFailed`."""
        kind = kind_of(event)
        fails = self._upstream is Dialect.RESPONSES and responses.kind_of(event) is responses.EventKind.FAILED
        if kind is EventKind.ERROR or fails:
            raise self._failure(event.data or b"")
        if self._chat_end is not None:
            if (data := self._chat_end.find_failure(event)) is not None:
                raise self._failure(data)
        elif kind in (EventKind.STOP_REASON, EventKind.MESSAGE_STOP):
            self._end.append(event)
            return
        yield from self._release()
        yield event

    def close(self) -> Iterator[Event]:
        """Raises `UpstreamClosed` for a chat stream that did not finish."""
        if self._chat_end is not None and not self._chat_end.finished:
            raise UpstreamClosed("the upstream ended its stream without a finish_reason")
        yield from self._release()

    def _release(self) -> Iterator[Event]:
        end, self._end = self._end, []
        yield from end

    def _failure(self, data: bytes) -> UpstreamFailed:
        mapped = self._map_error(_OK, data)
        if mapped is None:  # the plugin failed
            return UpstreamFailed("the upstream's stream failed, and the failure could not be read")
        return upstream_failure(mapped.status, mapped.message, mapped.retry_after)
