"""One exchange from the client's request to its response, and what compat keys change of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from clawgate.errors import InvalidRequest, UpstreamFailed
from clawgate.wire.translate.chat_to_responses.translator import ChatToResponses
from clawgate.wire.translate.compat import Compat
from tests.wire.exchanges import NAMES, check_chat, recorded_json

USER = {"role": "user", "content": "hi"}
LIMITED = {
    "id": "r",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [],
}


def exchange(model: str = "gpt-5", **members: Any) -> ChatToResponses:
    return ChatToResponses(requested_model="a/b", upstream_model=model, created=1, unique_id="u", **members)


def sent(made: ChatToResponses, **members: Any) -> Any:
    return json.loads(made.translate_request(json.dumps({"messages": [USER], **members}).encode()))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("chat_to_responses")])
def test_a_recorded_request_is_one_that_the_sdk_would_send(name: str) -> None:
    known: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsStreaming)
    known.validate_python(recorded_json(name, "upstream_request.json"))


def test_encrypted_reasoning_is_requested_of_a_model_that_has_it() -> None:
    assert sent(exchange())["include"] == ["reasoning.encrypted_content"]
    assert sent(exchange(), logprobs=True)["include"] == [
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
    ]
    assert "include" not in sent(exchange("gpt-4o"))
    assert "include" not in sent(exchange(compat=Compat(reasoning=False)))


def test_instructions_are_used_where_compat_says_so() -> None:
    messages = [{"role": "system", "content": "s"}, USER]
    for compat in (Compat(), Compat(supports_instructions=False)):
        made = sent(exchange(compat=compat), messages=messages)
        assert "instructions" not in made and made["input"][0]["role"] == "system"
    made = sent(exchange(compat=Compat(supports_instructions=True)), messages=messages)
    assert made["instructions"] == "s" and [item["role"] for item in made["input"]] == ["user"]


@pytest.mark.parametrize(("store", "ignored"), [(None, ()), (True, ("store",))])
def test_a_server_that_knows_no_store_gets_none(store: bool | None, ignored: tuple[str, ...]) -> None:
    made = exchange(compat=Compat(supports_store=False))
    assert "store" not in sent(made, store=store) and made.ignored == ignored


def test_reasoning_returns_to_its_provider_alone() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    body = json.dumps({"id": "r", "status": "completed", "output": [item, call]}).encode()
    message = json.loads(exchange(provider="p").translate_response(body))["choices"][0]["message"]
    history = [USER, message, {"role": "tool", "tool_call_id": "c", "content": "ok"}]
    assert item in sent(exchange(provider="p"), messages=history)["input"]
    assert "reasoning" not in str(sent(exchange(provider="q"), messages=history)["input"])


def test_a_client_of_the_old_form_reads_the_old_form() -> None:
    made = exchange()
    sent(made, functions=[{"name": "f"}])
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    body = json.dumps({"id": "r", "status": "completed", "output": [call]}).encode()
    [choice] = json.loads(made.translate_response(body))["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "function_call" and "tool_calls" not in choice["message"]


def test_a_conversation_without_content_is_rejected() -> None:
    for messages in ([], [{"role": "assistant", "content": ""}]):
        with pytest.raises(InvalidRequest) as rejected:
            sent(exchange(), messages=messages)
        assert rejected.value.param == "messages"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "boom"}, "output": []}, "boom"),
        ({"status": "cancelled", "output": []}, "cancelled"),
        ({"status": "queued", "output": []}, "not finished"),
        ({"status": "in_progress", "output": []}, "not finished"),
        ({"status": "x" * 9000, "output": []}, "not finished"),
        ({"output": []}, "not finished"),
        ({"error": {"message": "boom"}}, "boom"),
        ({"id": "r"}, "no output"),
    ],
)
def test_a_body_that_is_no_finished_response_is_a_failure(body: dict[str, Any], words: str) -> None:
    for read in (exchange().translate_response, exchange().response_as_stream):
        with pytest.raises(UpstreamFailed, match=words) as failed:
            read(json.dumps(body).encode())
        assert len(failed.value.message) < 1000


def test_a_response_without_words_is_complete() -> None:
    [choice] = json.loads(exchange().translate_response(json.dumps(LIMITED).encode()))["choices"]
    assert choice["message"]["content"] is None and choice["finish_reason"] == "length"
    check_chat(exchange().response_as_stream(json.dumps(LIMITED).encode()))


@pytest.mark.parametrize("include", [True, False])
def test_usage_is_streamed_on_request(include: bool) -> None:
    made = exchange()
    sent(made, stream=True, stream_options={"include_usage": include})
    assert made.streams
    assert (b'"usage"' in made.response_as_stream(json.dumps(LIMITED).encode())) is include


def test_an_error_keeps_its_words_and_its_status() -> None:
    body = b'{"error":{"message":"no","type":"invalid_request_error","code":"x","param":"input"}}'
    error = json.loads(exchange().translate_error(400, body))["error"]
    assert error == {"message": "no", "type": "invalid_request_error", "code": "x", "param": "input"}
    assert json.loads(exchange().translate_error(502, b"<html>"))["error"]["type"] == "api_error"
    assert exchange().error_event() == b""
