"""Responses and events are those of the OpenResponses specification, as the models that others made of it read them.

Two things are kept out: types of tools that are OpenAI's alone, and the schema of an output, which has to be null
there.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation
from tests.wire.exchanges import Fed, check_responses, events, sse

models = pytest.importorskip("openresponses_types.types", reason="openresponses-types is not installed")

FUNCTION = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
CALL = {"id": "call_1", "index": 0, "function": {"name": "get_weather", "arguments": '{"place":"Köln"}'}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
REQUESTS: list[dict[str, Any]] = [
    {"input": "hi"},
    {"input": [{"type": "message", "role": "system", "content": "s"},
               {"type": "message", "role": "user", "content": "u"}]},
    {"input": "hi", "tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
    {"input": "hi", "tools": [FUNCTION], "tool_choice": {"type": "function", "name": "get_weather"}},
    {"input": "hi", "reasoning": {"effort": "high", "summary": "auto"}, "text": {"verbosity": "low"},
     "metadata": {"k": "v"}},
    {"input": "hi", "text": {"format": {"type": "json_object"}}, "max_output_tokens": 99, "temperature": 0, "top_p": 1},
]  # fmt: skip
MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({"content": "a b"}, "stop"),
    ({"content": "a"}, "length"),
    ({"content": ""}, "stop"),
    ({"reasoning_content": "t", "content": "a"}, "content_filter"),
    ({"content": "a", "refusal": "no"}, "stop"),
    ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}], "content": "a", "tool_calls": [CALL]},
     "tool_calls"),
]  # fmt: skip


def requested(request: dict[str, Any], **more: Any) -> Translation:
    exchange = translation(
        Dialect.RESPONSES, Dialect.CHAT, requested_model="p/m", upstream_model="m", created=7, unique_id="u"
    )
    exchange.translate_request(json.dumps({"model": "p/m", **request, **more}).encode())
    return exchange


def events_by_type() -> dict[str, Any]:
    """Return the models of events by their types."""
    found = (model for name, model in vars(models).items() if name.endswith("StreamingEvent"))
    return {kind.value: model for model in found for kind in model.model_fields["type"].annotation}


EVENTS = events_by_type()


def check_stream(stream: bytes) -> None:
    for event in events(stream):
        EVENTS[event["type"]].model_validate(event)


@pytest.mark.parametrize("request_body", REQUESTS)
@pytest.mark.parametrize(("message", "finish"), MESSAGES)
def test_a_response_and_its_events_are_those_of_the_specification(
    request_body: dict[str, Any], message: dict[str, Any], finish: str
) -> None:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {"id": "c", "choices": [choice], "usage": USAGE}
    body = json.loads(requested(request_body).translate_response(json.dumps(whole).encode()))
    models.ResponseResource.model_validate(body)
    fed = Fed(requested(request_body, stream=True))
    pieces = [{"choices": [{"index": 0, "delta": {name: value}}]} for name, value in message.items()]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": USAGE}
    stream = fed.feed(sse(*pieces, end)) + fed.end()
    check_stream(stream)
    assert check_responses(stream)[-1]["response"] == body


def test_the_events_of_a_failure_are_those_of_the_specification() -> None:
    exchange = requested({"input": "hi"}, stream=True)
    begun = Fed(exchange).feed(sse({"choices": [{"index": 0, "delta": {"content": "half"}}]}))
    check_stream(begun + exchange.failure_event(message="cut", kind="upstream_error", code="upstream_closed"))
