"""The events of a stream give the complete response; a cut or failed stream gives none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.responses.assembly import MAX_ITEMS, ResponseAssembler
from clawgate.wire.sse.reader import EventReader
from tests.wire.exchanges import sse

ITEM = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "hi"}]}
DONE = {"type": "response.output_item.done", "output_index": 0, "item": ITEM}


def last(kind: str = "completed", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": {"id": "resp_1", "status": kind, **more}}


def assembled(*events: object) -> Any:
    assembler = ResponseAssembler()
    for event in EventReader().feed(b": ping\n\n" + sse(*events)):
        assembler.feed(event)
    return json.loads(assembler.complete())


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_the_last_event_has_the_response(kind: str) -> None:
    response = assembled(
        {"type": "response.output_text.delta", "delta": "h"}, DONE, last(kind, output=[ITEM])
    )
    assert response == {"id": "resp_1", "status": kind, "output": [ITEM]}


@pytest.mark.parametrize("output", [[], None])
def test_items_of_their_own_events_fill_an_output_that_was_left_out(output: object) -> None:
    second = {**DONE, "output_index": 1, "item": {"type": "function_call"}}
    assert assembled(second, DONE, last(output=output))["output"] == [ITEM, {"type": "function_call"}]


def test_a_cut_stream_gives_no_response() -> None:
    with pytest.raises(UpstreamClosed):
        assembled({"type": "response.created", "response": {"id": "resp_1", "output": [ITEM]}}, DONE)


@pytest.mark.parametrize(
    "failure",
    [
        last("failed", error={"code": "server_error", "message": "it broke"}),
        {"type": "error", "message": "it broke"},
        {"type": "error", "error": {"message": "it broke"}},
    ],
)
def test_a_failed_stream_gives_its_failure(failure: object) -> None:
    with pytest.raises(UpstreamFailed, match="it broke"):
        assembled(DONE, failure)


def test_items_are_bounded() -> None:
    with pytest.raises(UpstreamMalformed):
        assembled(*({**DONE, "output_index": index} for index in range(MAX_ITEMS + 1)))
