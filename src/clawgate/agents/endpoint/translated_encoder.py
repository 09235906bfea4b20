"""Encodes the events of a run for a client of another dialect: as chat completions, and these by a `Translation`.

Pure. Law: that of `event_encoder`. A translation is made for one stream, so each response has an encoder of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from clawgate.agents.endpoint.event_encoder import EventEncoder
from clawgate.agents.run.events import Finished, RunEvent
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import encode_error_event, error_members
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate.exchange import Translation


class TranslatedEncoder(EventEncoder):
    """``translation`` has translated the request of this response."""

    def __init__(
        self, run: str, created: int, model: str, translation: Translation, *, resumable: bool = False
    ) -> None:
        super().__init__(
            run, created, model, stream=translation.streams, include_usage=True, resumable=resumable
        )
        self._translation = translation
        self._reader = EventReader()

    def frames(self, event: RunEvent) -> Iterator[bytes]:
        out: list[bytes] = []
        for frame in super().frames(event):
            for one in self._reader.feed(frame):
                self._translation.feed(one, out)
        yield from out

    def failure(self, error: GatewayError) -> bytes:
        members = error_members(error, self.dialect)
        return self._translation.failure_event(**members) or encode_error_event(error, self.dialect)

    def body(self, finished: Finished) -> bytes:
        return self._translation.translate_response(super().body(finished))


class MessagesEncoder(TranslatedEncoder):
    """For a client of Anthropic's API."""

    dialect = Dialect.MESSAGES
    kind = "msg"


class ResponsesEncoder(TranslatedEncoder):
    """For a client of the Responses API. The stream is that of the response object, so that has one form alone."""

    dialect = Dialect.RESPONSES
    kind = "resp"

    def response(self, events: Iterable[RunEvent], error: GatewayError | None = None) -> dict[str, Any]:
        """Return the response object behind ``events``, or of a run that failed behind them."""
        frames = b"".join(frame for event in events for frame in self.frames(event))
        if error is not None:
            frames += self.failure(error)
        *_, last = (event for event in EventReader().feed(frames) if b'"response":' in (event.data or b""))
        response: dict[str, Any] = msgspec.json.decode(last.data or b"")["response"]
        return response
