"""A request of each dialect is one for the same run, and nothing by the way becomes more than a hint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.agents.endpoint.doors import ReadRequest, read_chat, read_messages, read_responses
from clawgate.agents.endpoint.responses_request import read_terms
from clawgate.agents.request.images import ImageRules
from clawgate.agents.run.history import compose
from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect

TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}


def read(dialect: Dialect = Dialect.MESSAGES, **fields: Any) -> ReadRequest:
    asked: dict[str, Any] = {
        "model": "openclaw",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
    }
    if dialect is Dialect.RESPONSES:
        asked = {"model": "openclaw", "input": "hi", "max_output_tokens": 9}
        return read_responses(read_terms(json.dumps(asked | fields).encode()), ImageRules())
    reader = read_chat if dialect is Dialect.CHAT else read_messages
    return reader(json.dumps(asked | fields).encode(), ImageRules())


@pytest.mark.parametrize("dialect", Dialect)
def test_the_same_request_is_the_same_in_each_dialect(dialect: Dialect) -> None:
    found = read(dialect, model="openclaw/main", stream=True, temperature=0.5).request
    assert found.conversation.turns == ({"role": "user", "content": "hi"},)
    assert (found.model, found.stream) == ("openclaw/main", True)
    assert found.options["max_completion_tokens"] == 9 and found.options["temperature"] == 0.5


def test_the_name_of_a_person_is_no_session() -> None:
    found = read(metadata={"user_id": "u1"}).request
    assert found.user == "" and "metadata.user_id" in found.ignored
    assert read(Dialect.CHAT, user="u1").request.user == "u1"
    assert read(Dialect.RESPONSES, user="u" * 99).request.user == "u" * 99
    assert read(Dialect.RESPONSES, safety_identifier="u1").request.user == ""


def test_ids_of_calls_stay_as_long_as_they_are() -> None:
    """A session has them as the model made them: a shorter one would be that of another call."""
    call = "chatcmpl-tool-" + "0" * 50
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": "seen"}]},
    ]
    turns = read(messages=messages, tools=[TOOL]).request.conversation.turns
    assert turns[1]["tool_calls"][0]["id"] == turns[2]["tool_call_id"] == call


def test_an_effort_is_a_hint() -> None:
    found = read(output_config={"effort": "high"})
    assert found.request.options["reasoning_effort"] == "high"
    plain = found.without_hints()
    assert "reasoning_effort" not in plain.request.options
    assert "output_config.effort" in plain.request.ignored
    assert "output_config.effort" not in read().without_hints().request.ignored


def test_a_body_without_a_model_is_for_the_default_agent() -> None:
    body = json.dumps(
        {"max_tokens": 9, "model": "", "messages": [{"role": "user", "content": "hi"}]}
    ).encode()
    assert read_messages(body, ImageRules()).request.model == "openclaw"


def test_what_an_agent_does_not_read_is_refused_with_its_place() -> None:
    document = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
    }
    with pytest.raises(InvalidRequest, match="no text and no image"):
        read(messages=[{"role": "user", "content": [document]}])
    with pytest.raises(InvalidRequest, match="mcp_servers"):
        read(mcp_servers=[{"type": "url", "url": "https://mcp.example", "name": "m"}])


@pytest.mark.parametrize(
    ("dialect", "fields", "param", "text"),
    [
        (
            Dialect.MESSAGES,
            {"stop_sequences": ["a"] * 5},
            "stop_sequences",
            "stop_sequences supports at most 4",
        ),
        (Dialect.MESSAGES, {"stop_sequences": [""]}, "stop_sequences", "stop_sequences entries must be"),
        (Dialect.MESSAGES, {"max_tokens": 2**60}, "max_tokens", "max_tokens: Too big"),
        (Dialect.MESSAGES, {"tools": [TOOL | {"name": " "}]}, "tools[0].name", "tool.name is required"),
        (Dialect.MESSAGES, {"messages": [{"role": "user", "content": ""}]}, None, "Missing user message."),
        (Dialect.RESPONSES, {"max_output_tokens": 2**60}, "max_output_tokens", "max_output_tokens: Too big"),
        (
            Dialect.RESPONSES,
            {"tools": [{"type": "function", "name": " "}]},
            "tools[0].name",
            "tool.name is required",
        ),
        (Dialect.RESPONSES, {"input": [{"role": "user", "content": " "}]}, None, "Missing user message."),
    ],
)
def test_what_is_wrong_has_the_name_that_the_client_gave_it(
    dialect: Dialect, fields: dict[str, Any], param: str | None, text: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(dialect, **fields)
    assert caught.value.param == param and text in caught.value.message
    assert not any(ours in caught.value.message for ours in ("function.name", "max_completion", "stop:"))


@pytest.mark.parametrize("name", ["stop", "max_completion_tokens", "function.name"])
def test_what_the_client_named_itself_keeps_its_name_in_an_error(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(tools=[TOOL], tool_choice={"type": "tool", "name": name})
    assert caught.value.param == "tool_choice" and caught.value.message.endswith(f"unknown tool: {name}")


def test_two_calls_of_one_id_become_two() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    turns = read(Dialect.RESPONSES, input=[call, call]).request.conversation.turns
    assert len({one["id"] for turn in turns for one in turn["tool_calls"]}) == 2


def test_each_stream_has_a_translation_of_its_own() -> None:
    """Two clients that follow one run do not share where they are in it."""
    found = read(stream=True)
    first, second = (found.encoder("r1", 1, resumable=False) for _ in range(2))
    from clawgate.agents.run.events import Started

    assert list(first.frames(Started())) == list(second.frames(Started())) != []


IMAGES: dict[Dialect, dict[str, Any]] = {
    Dialect.MESSAGES: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "http://a.test/x.png"}}],
            }
        ]
    },
    Dialect.RESPONSES: {
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a.test/x.png"}]}]
    },
}


@pytest.mark.parametrize("dialect", IMAGES)
def test_an_image_that_is_refused_has_no_place_of_another_dialect(dialect: Dialect) -> None:
    with pytest.raises(InvalidRequest, match=r"An image must be a data URL: .*allowUrl is not on") as caught:
        read(dialect, **IMAGES[dialect])
    assert caught.value.param is None and "messages" not in caught.value.message


@pytest.mark.parametrize(
    ("dialect", "fields", "named"),
    [
        (
            Dialect.MESSAGES,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]}
                ]
            },
            "tool_use_id",
        ),
        (
            Dialect.RESPONSES,
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
            "call_id",
        ),
    ],
)
def test_a_result_of_no_call_is_named_in_words_of_its_dialect(
    dialect: Dialect, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^`{named}` must name a call") as caught:
        compose((), read(dialect, **fields).request.conversation, system="")
    assert caught.value.param is None and "'c' does not" in caught.value.message
