"""Encodes the events of a run for a client of another dialect: as chat completions, and these by a `Translation`.

Pure. Law: that of `event_encoder`. A translation is made for one stream, so each response has an encoder of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.agents.endpoint.event_encoder import EventEncoder
from clawgate.agents.run.events import Finished, RunEvent
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import encode_error_event
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate.exchange import Translation


class MessagesEncoder(EventEncoder):
    """For a client of Anthropic's API. ``translation`` has translated the request of this response."""

    dialect = Dialect.MESSAGES
    kind = "msg"

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
        return encode_error_event(error, self.dialect)

    def body(self, finished: Finished) -> bytes:
        return self._translation.translate_response(super().body(finished))
