"""A Responses stream has ended well only if the response came in its last state and nothing failed."""

from __future__ import annotations

import pytest

from clawgate.wire.responses.stream_end import EventKind, ResponsesStreamEnd, kind_of
from clawgate.wire.sse.reader import Event


def event(name: str, data: str | None) -> Event:
    return Event(b"", name.encode(), None if data is None else data.encode())


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("", None, EventKind.KEEPALIVE),
        ("", " ", EventKind.KEEPALIVE),
        ("keepalive", '{"type":"keepalive","sequence_number":3}', EventKind.KEEPALIVE),
        ("", '{"type":"keepalive"}', EventKind.KEEPALIVE),
        ("response.created", '{"type":"response.created"}', EventKind.OPENING),
        ("", '{"type":"response.in_progress"}', EventKind.OPENING),
        ("response.output_text.delta", '{"delta":"response.completed"}', EventKind.CONTENT),
        ("", '{"type":"response.completed"}', EventKind.FINISHED),
        ("response.incomplete", "{}", EventKind.FINISHED),
        ("response.failed", "not json", EventKind.FAILED),
        ("error", '{"message":"m"}', EventKind.FAILED),
        ("", '{"error":{"message":"m"}}', EventKind.FAILED),
        ("response.output_text.delta", '{"type":"error"}', EventKind.FAILED),
        ("", '{"error":null}', EventKind.CONTENT),
        ("", "[1]", EventKind.CONTENT),
    ],
)
def test_an_event_is_what_its_name_or_its_type_says(name: str, data: str | None, kind: EventKind) -> None:
    assert kind_of(event(name, data)) is kind


LAST = event("response.completed", "{}")
ERROR = event("error", '{"message":"m"}')


@pytest.mark.parametrize(
    ("events", "finished"),
    [
        ([event("response.output_text.delta", '{"delta":"x"}')], False),
        ([LAST], True),
        ([LAST, ERROR], False),
        ([ERROR, LAST], False),
    ],
)
def test_a_stream_is_finished_by_its_last_event_unless_something_failed(
    events: list[Event], finished: bool
) -> None:
    end = ResponsesStreamEnd()
    for one in events:
        end.feed(one)
    assert end.finished is finished
