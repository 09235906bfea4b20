"""Every event is one of the SDK's, numbered and at its place; a failure shows the response as far as it came."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from clawgate.errors import UpstreamMalformed
from clawgate.wire.responses.types import ResponsesRequest
from clawgate.wire.translate.responses_to_chat import response, writer
from clawgate.wire.translate.responses_to_chat.tools import KnownTool
from clawgate.wire.translate.responses_to_chat.writer import REFUSAL, SUMMARY, TEXT, ResponseWriter
from tests.wire.exchanges import check_responses, events

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def new() -> ResponseWriter:
    head = response.head_of(ResponsesRequest(), response.Repeated(), model="m", created=7, unique="u")
    return ResponseWriter(head, "u")


def test_the_events_of_every_kind_of_item_are_those_of_the_sdk() -> None:
    made, out = new(), list[bytes]()
    made.start(out)
    made.start(out)
    for part in (SUMMARY, TEXT, REFUSAL):
        item = made.begin_part(part, out)
        made.piece(item, 'a"', out)
        made.piece(item, "b", out)
        if part != TEXT:  # a refusal is a further part of the message
            made.end_open(out, encrypted="sealed")
    for kind in ("function", "custom", "local_shell", "tool_search"):
        call = made.begin_call(KnownTool(kind, "f"), "c", out)
        made.end_call(call, '{"input": "x"}', out, sent=False, status="completed")
    made.carry("more", out)
    ended = made.finish("stop", response.usage({}), out)
    said = check_responses(b"".join(out))
    for event in said:
        EVENT.validate_python(event)
    assert [item["type"] for item in ended["output"]] == [
        "reasoning", "message", "function_call", "custom_tool_call", "local_shell_call", "tool_search_call",
        "reasoning",
    ]  # fmt: skip
    assert (
        ended["output"][0]["encrypted_content"] == "sealed"
        and ended["output"][6]["encrypted_content"] == "more"
    )
    assert [part["type"] for part in ended["output"][1]["content"]] == ["output_text", "refusal"]
    assert said[-1]["response"] == ended


def test_a_failure_is_the_error_and_the_response_as_far_as_it_came() -> None:
    made, out = new(), list[bytes]()
    made.start(out)
    made.piece(made.begin_part(TEXT, out), "half", out)
    closing = made.fail(
        message="it broke", kind="upstream_error", code="upstream_closed", param=None, usage=None
    )
    said = check_responses(b"".join(out) + closing, whole=False)
    assert [event["type"] for event in said[-2:]] == ["error", "response.failed"]
    failed: Any = EVENT.validate_python(said[-1])
    assert (failed.response.status, failed.response.error.message) == ("failed", "it broke")
    assert (
        failed.response.output[0].content[0].text == "half"
        and failed.response.output[0].status == "incomplete"
    )


def test_a_failure_before_the_beginning_begins_the_response() -> None:
    closing = new().fail(message="m", kind="api_error", code=None, param=None, usage=None)
    assert [event["type"] for event in events(closing)] == [
        "response.created", "response.in_progress", "error", "response.failed",
    ]  # fmt: skip


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_EVENT_BYTES", 300)
    made, out = new(), list[bytes]()
    item = made.begin_part(TEXT, out)
    made.piece(item, "x" * 100, out)
    with pytest.raises(UpstreamMalformed, match="over 300 bytes"):
        made.piece(item, "x" * 100, out)
    assert made.held_bytes > 300


def test_items_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_ITEMS", 1)
    made, out = new(), list[bytes]()
    made.carry("x", out)
    with pytest.raises(UpstreamMalformed, match="over 1 items"):
        made.carry("x", out)
