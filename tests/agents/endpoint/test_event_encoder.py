"""What a client of chat completions gets of a run's events, as a stream and as one body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.agents.endpoint.event_encoder import EventEncoder, parse_event_id, rest_of
from clawgate.agents.run.events import Finished, RunEvent, Started, TextDelta, ToolEnded, ToolStarted
from clawgate.agents.run.step import Call, Usage

CALL = Call("c1", "look", '{"at":1}')
DONE: list[RunEvent] = [Started(), TextDelta("Hi"), Finished("Hi", "stop", (), Usage(3, 1))]


def encoder(**options: Any) -> EventEncoder:
    return EventEncoder("run1", 1_700_000_000, "openclaw/main", **({"stream": True} | options))


def frames(events: list[RunEvent], made: EventEncoder) -> list[bytes]:
    return [frame for event in events for frame in made.frames(event)]


def choices(data: list[bytes]) -> list[Any]:
    return [json.loads(frame.removeprefix(b"data: "))["choices"] for frame in data if b"[DONE]" not in frame]


def test_a_stream_has_a_role_its_text_one_finish_reason_and_an_end() -> None:
    made = frames(DONE, encoder())
    assert [choice[0]["delta"] for choice in choices(made)] == [{"role": "assistant"}, {"content": "Hi"}, {}]
    assert [choice[0]["finish_reason"] for choice in choices(made)] == [None, None, "stop"]
    assert made[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize("wanted", [True, False])
def test_usage_is_sent_where_it_is_requested(wanted: bool) -> None:
    made = frames(DONE, encoder(include_usage=wanted))
    assert (b'"choices":[],"usage"' in made[-2]) is wanted


def test_calls_of_the_agents_own_tools_are_not_shown() -> None:
    assert frames([ToolStarted(CALL), ToolEnded(CALL, "r", failed=False)], encoder()) == []


def test_calls_of_the_clients_tools_come_before_the_finish_reason() -> None:
    made = choices(frames([Finished("", "tool_calls", (CALL,), Usage())], encoder()))
    assert made[0][0]["delta"]["tool_calls"][0]["id"] == "c1"
    assert made[1][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"at":1}'
    assert made[2][0]["finish_reason"] == "tool_calls"


def test_events_have_ids_only_where_they_can_be_resumed() -> None:
    assert encoder().numbered(b"data: x\n\n", 2) == b"data: x\n\n"
    assert encoder(resumable=True).numbered(b"data: x\n\n", 2) == b"id: run1-2\ndata: x\n\n"


def test_without_a_stream_there_is_one_body() -> None:
    kind, body = encoder(stream=False).complete(DONE)
    assert kind == "application/json" and json.loads(body)["choices"][0]["message"]["content"] == "Hi"


@given(st.lists(st.text(max_size=9), max_size=8), st.integers(0, 20))
def test_a_complete_stream_continues_behind_any_of_its_events(texts: list[str], number: int) -> None:
    """What a repeated request gets from the database is what the first one was sent."""
    made = encoder(resumable=True)
    events: list[RunEvent] = [
        Started(),
        *map(TextDelta, texts),
        Finished("".join(texts), "stop", (), Usage()),
    ]
    sent = [made.numbered(frame, n) for n, frame in enumerate(frames(events, made), 1)]
    _, whole = made.complete(events)
    assert whole == b"".join(sent)
    assert rest_of(whole, number) == b"".join(sent[number:])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a-b-12", ("a-b", 12)),
        (" a-0 ", ("a", 0)),
        ("a", None),
        ("-1", None),
        ("a-", None),
        ("a-x", None),
        ("a-٣", None),
        ("a-" + "9" * 30, None),
    ],
)
def test_an_event_id_is_a_run_and_a_number(text: str, read: object) -> None:
    assert parse_event_id(text) == read


def test_a_tool_of_the_agents_own_is_a_comment_that_every_client_skips() -> None:
    made = encoder(resumable=True)
    assert made.comment(ToolStarted(CALL)) == b": tool look\n\n"
    assert [made.comment(event) for event in (*DONE, ToolEnded(CALL, "r", failed=False))] == [b""] * 4
    assert made.complete([ToolStarted(CALL), *DONE]) == made.complete(DONE)  # a repeat does not run it again
