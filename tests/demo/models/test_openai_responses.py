"""The Responses API says what the chat says, in events that add up to the whole response."""

from __future__ import annotations

from typing import Any

import pytest

from demo.models.openai_chat import reply_text
from demo.models.openai_responses import events, reply_to_input, response

ASK: dict[str, Any] = {"model": "m", "input": "hello there", "instructions": "be brief"}


@pytest.mark.parametrize(
    "given",
    [
        "hello",
        [{"role": "user", "content": "hello"}],
        [{"content": [{"type": "input_text", "text": "hello"}]}],
        [
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": "x"},
            7,
            {"content": "hello"},
        ],
    ],
)
def test_the_last_thing_a_user_said_is_answered(given: object) -> None:
    assert reply_to_input({"model": "m", "input": given}).text == reply_text("hello")


def test_the_events_add_up_to_the_response() -> None:
    """Numbered without a gap, all of one response, with every word once and the whole response at the end."""
    reply = reply_to_input(ASK)
    whole, told = response(ASK, reply), list(events(ASK, reply))
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert [event["delta"] for event in told if event["type"].endswith(".delta")] == list(reply.words)
    assert told[0]["type"] == "response.created" and told[0]["response"]["output"] == []
    assert told[0]["response"]["usage"] is None and told[0]["response"]["id"] == whole["id"]
    assert told[-1] == {"type": "response.completed", "response": whole, "sequence_number": len(told) - 1}
    assert {event["item_id"] for event in told if "item_id" in event} == {whole["output"][0]["id"]}


def test_what_is_added_is_done() -> None:
    """Each item and part that was added is done once, inside out."""
    types = [
        event["type"] for event in events(ASK, reply_to_input(ASK)) if not event["type"].endswith("delta")
    ]
    assert types == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.done", "response.content_part.done", "response.output_item.done",
        "response.completed",
    ]  # fmt: skip


def test_counts_have_the_names_of_this_api_and_a_limit_cuts() -> None:
    whole = response(ASK, reply_to_input(ASK))
    usage = whole["usage"]
    assert (
        usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] and usage["input_tokens"] == 2
    )
    assert whole["instructions"] == "be brief" and whole["status"] == "completed"
    assert len(reply_to_input({**ASK, "max_output_tokens": 2}).words) == 2
