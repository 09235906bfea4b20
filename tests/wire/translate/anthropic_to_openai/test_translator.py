"""A Messages request becomes a chat request, or is refused by its field's name with the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat

USER = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def exchange(**settings: Any) -> MessagesToChat:
    return MessagesToChat(requested_model="asked/model", upstream_model="gpt-x", **settings)


def told(settings: dict[str, Any] | None = None, **fields: Any) -> Any:
    body = json.dumps({"model": "x", "max_tokens": 9, "messages": [USER], **fields}).encode()
    return json.loads(exchange(**(settings or {})).translate_request(body))


def test_it_goes_to_the_chat_endpoint() -> None:
    assert exchange().target == b"/v1/chat/completions"


SCHEMA = {"type": "json_schema", "schema": {"a": 1}}


@pytest.mark.parametrize(
    ("field", "value", "becomes"),
    [
        ("temperature", 0.5, {"temperature": 0.5}),
        ("top_p", 0.9, {"top_p": 0.9}),
        ("stop_sequences", ["a"], {"stop": ["a"]}),
        ("stop_sequences", [], {}),
        ("metadata", {"user_id": "u"}, {"user": "u"}),
        ("metadata", {}, {}),
        ("service_tier", "standard_only", {"service_tier": "default"}),
        ("service_tier", "auto", {"service_tier": "auto"}),
        ("stream", True, {"stream": True, "stream_options": {"include_usage": True}}),
        ("thinking", {"type": "enabled", "budget_tokens": 2000}, {"reasoning_effort": "low"}),
        ("thinking", {"type": "enabled", "budget_tokens": 31_999}, {"reasoning_effort": "high"}),
        ("thinking", {"type": "disabled"}, {}),
        ("thinking", {"type": "adaptive"}, {}),
        ("output_config", {"effort": "max"}, {"reasoning_effort": "max"}),
        ("output_config", {"format": SCHEMA}, {"response_format": {
            "type": "json_schema", "json_schema": {"name": "response", "schema": {"a": 1}, "strict": True}}}),
        ("tool_choice", {"type": "any"}, {}),
        ("mcp_servers", [], {}),
        *((name, 1, {}) for name in ("top_k", "cache_control", "context_management", "never_heard_of")),
        *((name, None, {}) for name in ("temperature", "tools", "thinking", "system", "stream")),
    ],
)  # fmt: skip
def test_a_field_is_carried_over_or_left_out(field: str, value: Any, becomes: dict[str, Any]) -> None:
    plain = {"model": "gpt-x", "messages": [USER], "max_tokens": 9}
    assert told(**{field: value}) == {**plain, **becomes}


def test_users_with_long_names_stay_different() -> None:
    """OpenAI refuses more than 64 characters; agents send a JSON object as their user's id."""
    names = [told(metadata={"user_id": f'{{"device_id":"{number}{"0" * 100}"}}'})["user"] for number in "112"]
    assert names[0] == names[1] != names[2] and {len(name) for name in names} == {64}
    assert told(metadata={"user_id": "u" * 64})["user"] == "u" * 64


def test_the_limit_has_the_name_that_the_upstream_knows() -> None:
    asked = told({"max_tokens_field": "max_completion_tokens"})
    assert asked["max_completion_tokens"] == 9 and "max_tokens" not in asked


def test_an_effort_counts_more_than_a_budget_and_neither_where_thinking_is_off() -> None:
    budget = {"type": "enabled", "budget_tokens": 2000}
    assert told(thinking=budget, output_config={"effort": "high"})["reasoning_effort"] == "high"
    assert "reasoning_effort" not in told(thinking={"type": "disabled"}, output_config={"effort": "high"})
    assert "reasoning_effort" not in told({"reasoning": False}, thinking=budget)


@pytest.mark.parametrize(
    ("choice", "becomes"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": False},
            {"tool_choice": "auto", "parallel_tool_calls": True},
        ),
    ],
)
def test_tool_choice_is_translated_to_openai(choice: Any, becomes: dict[str, Any]) -> None:
    asked = told(tools=[TOOL], tool_choice=choice)
    assert {name: asked[name] for name in asked if name in ("tool_choice", "parallel_tool_calls")} == becomes


def test_a_tool_of_a_long_name_is_called_by_the_clients_name_again() -> None:
    """In its definition, in what was called before, where it is forced; in whole answers and in streams."""
    name = "mcp__some-plugin_with-a-server__" + "performance_analyze_insight" * 2
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": name, "input": {}}]}
    fields = {
        "max_tokens": 9,
        "messages": [USER, called],
        "tools": [{**TOOL, "name": name}],
        "tool_choice": {"type": "tool", "name": name},
    }
    asking = exchange()
    sent = json.loads(asking.translate_request(json.dumps(fields).encode()))
    short = sent["tools"][0]["function"]["name"]
    assert len(name) > 64 == len(short) and sent["tool_choice"]["function"]["name"] == short
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == short
    call = {"id": "c", "function": {"name": short, "arguments": "{}"}}
    choice = {"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    answer = json.dumps({"choices": [choice]}).encode()
    assert json.loads(asking.translate_response(answer))["content"][0]["name"] == name
    assert f'"name":"{name}"'.encode() in asking.response_as_stream(answer)


def test_a_tool_is_a_function() -> None:
    tool = {
        **TOOL,
        "type": "custom",
        "description": "d",
        "strict": True,
        "cache_control": {"type": "ephemeral"},
    }
    schema = {"type": "object", "properties": {}}  # OpenAI refuses an object that does not say it has none
    function = {"name": "f", "description": "d", "parameters": schema, "strict": True}
    assert told(tools=[tool])["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    "schema", [{"type": "object", "properties": {"a": {}}}, {"anyOf": [{}]}, {"$ref": "#/a"}]
)
def test_a_schema_that_says_more_is_left_as_it_is(schema: dict[str, Any]) -> None:
    assert told(tools=[{**TOOL, "input_schema": schema}])["tools"][0]["function"]["parameters"] == schema


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"mcp_servers": [{"url": "https://e"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools[1]"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ],
)
def test_a_field_that_changes_the_response_is_rejected_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        told(**fields)
    assert refused.value.param == param and f"'{param}' " in refused.value.message


def test_a_refusal_shows_little_of_what_is_rejected() -> None:
    with pytest.raises(InvalidRequest) as refused:
        told(tools=[{"type": "x" * 100_000, "name": "f"}])
    assert len(refused.value.message) < 400


def test_a_refusal_keeps_its_text() -> None:
    body = b'{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}'
    told = json.loads(exchange().translate_error(429, body))
    assert told["error"]["message"] == "Rate limit reached" and told["error"]["type"] == "rate_limit_error"
