"""Decides whether an error event fits behind a stream that was cut, so that nothing is made up (decision 0010)."""

from __future__ import annotations

from clawgate.wire.anthropic.stream_end import EventKind, kind_of
from clawgate.wire.json.lenient import is_json
from clawgate.wire.openai.stream_end import DONE, is_last_event
from clawgate.wire.responses import stream_end as responses
from clawgate.wire.sse.reader import Event, EventReader


def is_final(event: Event) -> bool:
    """Whether a client stops reading at ``event``: an error, or the end of a message in any dialect."""
    return (
        is_last_event(event)
        or kind_of(event) in (EventKind.ERROR, EventKind.MESSAGE_STOP)
        or responses.kind_of(event) in (responses.EventKind.FINISHED, responses.EventKind.FAILED)
    )


def reports_error(event: Event | None) -> bool:
    """Whether ``event`` is an error event of any dialect."""
    return event is not None and (
        kind_of(event) is EventKind.ERROR or responses.kind_of(event) is responses.EventKind.FAILED
    )


def lacks_only_its_end(rest: Event) -> bool:
    """Whether what a stream ends with is an event without its blank line; otherwise it is half of one."""
    return rest.data is not None and (is_last_event(rest) or is_json(rest.data))


def closing_event(reader: EventReader, last: Event | None, error_event: bytes) -> bytes:
    """Return what to add to the stream that ``reader`` read so that ``error_event`` is seen.

    At an event boundary: the event. In the middle of an event: a blank line first. Empty behind a final event
    (``last`` is the last one with data), and if ending the open event would let it read as ``[DONE]``: then the broken
    transfer alone has to do.
    """
    if last is not None and is_final(last):
        return b""
    if reader.is_between_events:
        return error_event
    rest = reader.close()
    if rest is not None and rest.data is not None:
        begun = rest.data.strip(b" \t")
        if DONE.startswith(begun) or begun.startswith(DONE):
            return b""
    return b"\n\n" + error_event
