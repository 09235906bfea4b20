"""The events and bodies have the recorded shapes, and OpenAI's own types read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from clawgate.agents.endpoint.chat_response import ChatEvents, encode_body, usage_object, with_event_id
from clawgate.agents.run.step import Call, Usage, calls_of
from clawgate.wire.openai.chunks import DONE

EVENTS = ChatEvents("chatcmpl_u1", 7, 'agent:"main"')
HEAD = {"id": "chatcmpl_u1", "object": "chat.completion.chunk", "created": 7, "model": 'agent:"main"'}
TRICKY = 'a"b\\c\n\r\u2028\x00é\N{GRINNING FACE}data: [DONE]'


def parsed(event: bytes) -> dict[str, Any]:
    """The JSON of one event, which is one line and a blank one."""
    assert event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2
    found: dict[str, Any] = json.loads(event[6:])
    ChatCompletionChunk.model_validate(found)
    return found


def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def test_the_events_are_as_recorded() -> None:
    assert parsed(EVENTS.role()) == choice({"role": "assistant"})
    assert parsed(EVENTS.content("Hi")) == choice({"content": "Hi"})
    assert parsed(EVENTS.refusal("No")) == choice({"refusal": "No"})
    assert parsed(EVENTS.finish("stop")) == choice({}, "stop")
    assert DONE == b"data: [DONE]\n\n"


def test_the_events_of_a_call_are_as_recorded() -> None:
    begun, piece = EVENTS.call(1, Call("c1", "f", '{"a":1}'))
    function = {"name": "f", "arguments": ""}
    assert parsed(begun) == choice(
        {"tool_calls": [{"index": 1, "id": "c1", "type": "function", "function": function}]}
    )
    assert parsed(piece) == choice({"tool_calls": [{"index": 1, "function": {"arguments": '{"a":1}'}}]})


def test_a_call_has_what_its_provider_wants_back() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "SIG=="}}}
    (call,) = calls_of(
        {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}, "x": 1, **signed}]}
    )
    begun, _ = EVENTS.call(0, call)
    (sent,) = parsed(begun)["choices"][0]["delta"]["tool_calls"]
    body = encode_body("i", 7, "m", content="", finish_reason="tool_calls", usage=Usage(), calls=[call])
    (whole,) = json.loads(body)["choices"][0]["message"]["tool_calls"]
    for one in (sent, whole):
        assert one["extra_content"] == signed["extra_content"] and "x" not in one
    assert call == Call("c1", "f", "{}") and hash(call) == hash(Call("c1", "f", "{}"))


def test_the_event_of_the_usage_has_no_choice() -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 5,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    assert parsed(EVENTS.usage(Usage(11, 5, 3))) == {**HEAD, "choices": [], "usage": usage}


@pytest.mark.parametrize("text", ["", TRICKY])
def test_any_text_is_one_line(text: str) -> None:
    assert parsed(EVENTS.content(text))["choices"][0]["delta"]["content"] == text
    piece = parsed(EVENTS.call(0, Call("c", "f", text))[1])
    assert piece["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == text
    assert parsed(ChatEvents("x", 1, text).role())["model"] == text


def test_an_event_may_have_an_id() -> None:
    assert with_event_id(EVENTS.role(), "r1-5") == b"id: r1-5\n" + EVENTS.role()


def test_a_body_is_as_recorded() -> None:
    body = json.loads(encode_body("i", 7, "", content="Hi", finish_reason="stop", usage=Usage(1, 2)))
    message = {"role": "assistant", "content": "Hi"}
    assert body == {
        "id": "i", "object": "chat.completion", "created": 7, "model": "",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage_object(Usage(1, 2)),
    }  # fmt: skip
    ChatCompletion.model_validate(body)


def test_a_body_with_calls_has_an_empty_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calls = [Call("c1", "f", "{}")]
    body = json.loads(
        encode_body(
            "i", 7, "m", content="", finish_reason="tool_calls", usage=Usage(), calls=calls, refusal="r"
        )
    )
    message = {"role": "assistant", "content": "", "refusal": "r", "tool_calls": [call]}
    assert body["choices"] == [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    ChatCompletion.model_validate(body)
