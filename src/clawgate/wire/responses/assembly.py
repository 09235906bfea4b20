"""Assembles the events of a Responses stream into the complete response that they are pieces of.

For a client that requested no stream, and whose upstream streamed all the same. The last event has the whole response;
some servers leave its `output` empty, since every item came in an event of its own (`response.output_item.done`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.json.surrogates import SurrogateJoiner
from clawgate.wire.responses.stream_end import EventKind, ResponsesStreamEnd
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event

MAX_ITEMS = 1000

Object = dict[str, Any]

_object = msgspec.json.Decoder(Object)


class ResponseAssembler:
    """One response: `feed` it each event of its stream, in order."""

    def __init__(self) -> None:
        self._response: Object | None = None
        self._items: dict[int, Object] = {}  # by their index in the output
        self._end = ResponsesStreamEnd()
        self._halves = SurrogateJoiner()
        self.held_bytes = 0
        """Bytes of the events so far."""

    def feed(self, event: Event) -> None:
        """Raises `UpstreamMalformed` for what is no event of a response, or too much of it, `UpstreamFailed` for a
        failure."""
        kind = self._end.feed(event)
        if not event.data or event.data.isspace():
            return
        self.held_bytes += len(event.data)
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream streamed a response of over {MAX_EVENT_BYTES} bytes")
        if kind is EventKind.CONTENT and b"response.output_item.done" not in event.data + event.name:
            return
        data = strict.parse_response(event.data, _object, self._halves)
        response = data.get("response")
        if kind is EventKind.FAILED:
            quote = _message(response) or _message(data) or ""
            raise UpstreamFailed("the upstream reported an error: ", quote=quote)
        if kind is EventKind.FINISHED:
            self._response = response if isinstance(response, dict) else None
        elif kind is EventKind.CONTENT:
            self._add(data)

    def complete(self) -> bytes:
        """Return the response; raises `UpstreamClosed` if the stream did not finish."""
        if self._response is None:
            raise UpstreamClosed("the upstream's stream ended before the response was complete")
        if not self._response.get("output"):
            self._response["output"] = [self._items[index] for index in sorted(self._items)]
        return strict.encode_response(self._response)

    def _add(self, data: Object) -> None:
        """Keep an item that is complete."""
        item = data.get("item")
        if not isinstance(item, dict):
            return
        index = lenient.as_int(data.get("output_index"))
        self._items[len(self._items) if index is None else index] = item
        if len(self._items) > MAX_ITEMS:
            raise UpstreamMalformed(f"the upstream streamed over {MAX_ITEMS} items")


def _message(holder: object) -> str | None:
    """Return the message of the error in a response or event."""
    error = lenient.as_member(holder, "error")
    return lenient.as_word(lenient.as_member(error, "message")) or lenient.as_word(
        lenient.as_member(holder, "message")
    )
