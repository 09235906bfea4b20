"""Encodes the events of a run for a client of chat completions: as a stream that can be resumed, or as one body.

Pure. Law: the same events give the same bytes, so that a stream that is resumed or repeated is the one that it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clawgate.agents.endpoint.chat_response import ChatEvents, encode_body, with_event_id
from clawgate.agents.run.events import Finished, RunEvent, Started, TextDelta, ToolStarted
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import encode_error_event
from clawgate.wire.dialect import Dialect
from clawgate.wire.openai.chunks import DONE

TOOL_COMMENT = b": tool "
"""Begins the comment that names a tool of the agent's own which runs now."""
EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"


class EventEncoder:
    """The encoding of one response. ``run`` names it; ``resumable``: each event of a stream has an id."""

    dialect = Dialect.CHAT
    kind = "chatcmpl"
    """What the id of the response begins with."""

    def __init__(
        self,
        run: str,
        created: int,
        model: str,
        *,
        stream: bool,
        include_usage: bool = False,
        resumable: bool = False,
    ) -> None:
        self._run = run
        self._created = created
        self._model = model
        self._events = ChatEvents(f"{self.kind}_{run}", created, model)
        self._include_usage = include_usage
        self._resumable = resumable
        self.stream = stream

    @property
    def content_type(self) -> str:
        return EVENT_STREAM if self.stream else JSON

    def frames(self, event: RunEvent) -> Iterator[bytes]:
        """Yield the events of the stream that ``event`` is."""
        encode = self._events
        match event:
            case Started():
                yield encode.role()
            case TextDelta(text):
                yield encode.content(text)
            case Finished():
                for index, call in enumerate(event.calls):
                    yield from encode.call(index, call)
                if event.refusal:
                    yield encode.refusal(event.refusal)
                yield encode.finish(event.finish_reason)
                if self._include_usage:
                    yield encode.usage(event.usage)
                yield DONE

    def comment(self, event: RunEvent) -> bytes:
        """Return a comment for who reads along: every client skips it, and it has no number. Empty for most events."""
        if not isinstance(event, ToolStarted):
            return b""
        return TOOL_COMMENT + event.call.name.encode("ascii", "replace") + b"\n\n"

    def numbered(self, frame: bytes, number: int) -> bytes:
        """Return ``frame``, the ``number``-th of the stream, with its id where it can be resumed."""
        return with_event_id(frame, f"{self._run}-{number}") if self._resumable else frame

    def body(self, finished: Finished) -> bytes:
        """Return the body of a response without a stream."""
        return encode_body(
            f"{self.kind}_{self._run}",
            self._created,
            self._model,
            content=finished.text,
            finish_reason=finished.finish_reason,
            usage=finished.usage,
            calls=finished.calls,
            refusal=finished.refusal,
        )

    def failure(self, error: GatewayError) -> bytes:
        """Return the end of a stream that cannot be completed."""
        return encode_error_event(error, self.dialect) + DONE

    def complete(self, events: Iterable[RunEvent]) -> tuple[str, bytes]:
        """Return the content type and the whole body of a run that has finished."""
        if not self.stream:
            return JSON, b"".join(self.body(event) for event in events if isinstance(event, Finished))
        frames = [frame for event in events for frame in self.frames(event)]
        return EVENT_STREAM, b"".join(self.numbered(frame, number) for number, frame in enumerate(frames, 1))


def rest_of(stream: bytes, number: int) -> bytes:
    """Return what follows the ``number``-th event of a complete stream."""
    frames: Sequence[bytes] = stream.split(b"\n\n")
    return b"\n\n".join(frames[number:])


def parse_event_id(text: str) -> tuple[str, int] | None:
    """Return the run and the number of an event's id, None for what is none."""
    run, _, number = text.strip().rpartition("-")
    return (run, int(number)) if run and number.isascii() and number.isdigit() and len(number) < 10 else None
