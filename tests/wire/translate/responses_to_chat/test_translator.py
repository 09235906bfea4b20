"""One exchange of a Responses client with a chat upstream, from the request to its response or failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import Response

from clawgate.errors import InvalidRequest, UpstreamFailed, UpstreamMalformed
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.responses_to_chat.translator import ResponsesToChat
from tests.wire.exchanges import Fed, check_responses, events, sse

WHOLE: dict[str, Any] = {
    "id": "c",
    "choices": [{"message": {"reasoning_content": "t", "content": "a"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4},
}


def new(**options: Any) -> ResponsesToChat:
    return ResponsesToChat(requested_model="h/m", upstream_model="m", created=7, unique_id="u", **options)


def sent(exchange: ResponsesToChat, **fields: Any) -> Any:
    return json.loads(
        exchange.translate_request(json.dumps({"model": "h/m", "input": "hi", **fields}).encode())
    )


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_stream_is_requested_with_its_counts() -> None:
    exchange = new()
    assert sent(exchange, stream=True) == {
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert exchange.streams and exchange.ignored == ()


@pytest.mark.parametrize("given", [{"input": None}, {"input": ""}, {"input": []}])
def test_a_request_without_input_is_rejected(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(new(), **given)
    assert caught.value.param == "input"
    assert ("is missing" if given["input"] is None else "is empty") in caught.value.message


def test_instructions_alone_are_a_request() -> None:
    assert sent(new(), input=[], instructions="a")["messages"] == [{"role": "system", "content": "a"}]


def test_the_limit_has_the_name_that_the_server_knows() -> None:
    assert (
        sent(new(max_tokens_field="max_completion_tokens"), max_output_tokens=5)["max_completion_tokens"] == 5
    )
    assert sent(new(compat=Compat(max_tokens_field="max_tokens")), max_output_tokens=5)["max_tokens"] == 5


@pytest.mark.parametrize(
    ("compat", "effort", "becomes", "ignored"),
    [
        (Compat(), "high", {"reasoning_effort": "high"}, ()),
        (Compat(), "none", {"reasoning_effort": "none"}, ()),
        (Compat(reasoning=False), "high", {}, ("reasoning.effort",)),
        (Compat(supports_reasoning_effort=False), "low", {}, ("reasoning.effort",)),
        (Compat(thinking_format="qwen"), "low", {"enable_thinking": True}, ()),
    ],
)
def test_the_effort_is_requested_in_the_form_of_the_server(
    compat: Compat, effort: str, becomes: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    exchange = new(compat=compat)
    made = sent(exchange, reasoning={"effort": effort, "summary": "auto"})
    assert {name: made[name] for name in made if name not in ("model", "messages")} == becomes
    assert exchange.ignored == ignored


def test_the_instructions_have_the_name_that_reasoning_models_know() -> None:
    made = sent(new(compat=Compat(supports_developer_role=True)), instructions="a")
    assert [message["role"] for message in made["messages"]] == ["developer", "user"]


def test_a_response_is_what_its_stream_ends_with() -> None:
    body = json.loads(new().translate_response(encoded(WHOLE)))
    assert Response.model_validate(body).output_text == "a" and body["model"] == "h/m"
    stream = check_responses(new().response_as_stream(encoded(WHOLE)))
    assert stream[-1]["response"] == body


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []},
        {"choices": [{"message": {"content": "a"}, "finish_reason": None}]},
        {
            "choices": [
                {"message": {"tool_calls": [{"function": {"arguments": "{}"}}]}, "finish_reason": "stop"}
            ]
        },
    ],
)
def test_a_response_that_may_be_incomplete_is_malformed(body: object) -> None:
    with pytest.raises(UpstreamMalformed):
        new().translate_response(encoded(body))


def test_a_response_that_failed_is_a_failure() -> None:
    choice = {"message": {"content": "a"}, "error": {"message": "boom"}, "finish_reason": "error"}
    with pytest.raises(UpstreamFailed, match="boom"):
        new().translate_response(encoded({"choices": [choice]}))


def test_an_error_has_the_form_of_openai() -> None:
    made = json.loads(
        new().translate_error(429, b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}')
    )
    assert made["error"]["message"] == "slow" and made["error"]["type"] == "rate_limit_error"


def test_an_error_of_the_upstream_ends_the_stream_as_a_failed_response() -> None:
    exchange = new()
    assert exchange.error_event() == b""
    piece = {"choices": [{"index": 0, "delta": {"content": "half"}}]}
    fed = Fed(exchange)
    with pytest.raises(UpstreamFailed):
        fed.feed(sse(piece, {"error": {"message": "boom", "type": "rate_limit_error"}}))
    stream = check_responses(fed.rest() + exchange.error_event(), whole=False)
    assert [event["type"] for event in stream[-2:]] == ["error", "response.failed"]
    assert stream[-1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "boom"}
    assert not exchange.finished


def test_a_failure_of_ours_ends_the_stream_likewise() -> None:
    exchange = new()
    closing = exchange.failure_event(message="cut", kind="upstream_error", code="upstream_closed")
    assert [event["type"] for event in events(closing)][-1] == "response.failed"
    assert events(closing)[-2]["error"]["code"] == "upstream_closed"


def test_reasoning_returns_from_clients_that_return_none_without_encrypted_content() -> None:
    """The AI SDK drops the others; DeepSeek and its like reject a tool loop in which theirs is missing."""
    exchange = new(provider="p")
    sent(exchange, include=["reasoning.encrypted_content"])
    item = json.loads(exchange.translate_response(encoded(WHOLE)))["output"][0]
    assert item["encrypted_content"]
    back = sent(new(provider="p"), input=[{"role": "user", "content": "hi"}, item])
    assert back["messages"][1]["reasoning_content"] == "t"
    assert "encrypted_content" not in json.loads(new().translate_response(encoded(WHOLE)))["output"][0]
