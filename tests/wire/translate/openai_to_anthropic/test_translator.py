"""A chat request becomes a Messages request, or is refused by its field's name with the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest, UpstreamClosed
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.openai_to_anthropic.translator import MAX_TOKENS, ChatToMessages
from clawgate.wire.translate.reasoning_effort import BUDGETS
from tests.wire.exchanges import Fed

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA_FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}
OLD, NEW = "claude-sonnet-4-5", "claude-opus-4-7"


def exchange(model: str = OLD, **settings: Any) -> ChatToMessages:
    return ChatToMessages(requested_model="asked/model", upstream_model=model, created=1, **settings)


def told(model: str = OLD, settings: dict[str, Any] | None = None, **fields: Any) -> Any:
    body = json.dumps({"model": "x", "messages": [USER], **fields}).encode()
    return json.loads(exchange(model, **(settings or {})).translate_request(body))


def test_it_goes_to_the_messages_endpoint() -> None:
    assert exchange().target == b"/v1/messages"


@pytest.mark.parametrize(
    ("field", "value", "becomes"),
    [
        ("temperature", 0.5, {"temperature": 0.5}),
        ("temperature", 2, {"temperature": 1.0}),
        ("top_p", 0.9, {"top_p": 0.9}),
        ("top_p", 1, {}),
        ("top_k", 5, {"top_k": 5}),
        ("stop", "a", {"stop_sequences": ["a"]}),
        ("stop", ["a", "b"], {"stop_sequences": ["a", "b"]}),
        ("stop", [], {}),
        ("stop", "", {}),
        ("stop", "\n", {}),
        ("stop", ["\n", " \t", "\u2003", ""], {}),
        ("stop", ["\n", "a\n", ""], {"stop_sequences": ["a\n"]}),
        ("user", "u", {"metadata": {"user_id": "u"}}),
        ("safety_identifier", "u", {"metadata": {"user_id": "u"}}),
        ("service_tier", "default", {"service_tier": "standard_only"}),
        ("service_tier", "priority", {"service_tier": "auto"}),
        ("service_tier", "flex", {}),
        ("stream", True, {"stream": True}),
        ("stream", False, {}),
        ("response_format", {"type": "text"}, {}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}},
         {"output_config": {"format": {"type": "json_schema", "schema": {"type": "null"}}}}),
        ("thinking", {"type": "adaptive"}, {"thinking": {"type": "adaptive"}}),
        ("cache_control", {"type": "ephemeral"}, {"cache_control": {"type": "ephemeral"}}),
        ("inference_geo", "eu", {"inference_geo": "eu"}),
        ("speed", "fast", {"speed": "fast"}),
        ("parallel_tool_calls", False, {}),
        ("tool_choice", "auto", {}),
        *((name, 1, {}) for name in ("seed", "frequency_penalty", "presence_penalty", "n", "never_heard_of")),
        *((name, None, {}) for name in ("temperature", "stop", "tools", "n", "max_tokens", "reasoning_effort")),
    ],
)  # fmt: skip
def test_a_field_is_carried_over_or_left_out(field: str, value: Any, becomes: dict[str, Any]) -> None:
    plain = {"model": OLD, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
    assert told(**{field: value}) == {**plain, "max_tokens": MAX_TOKENS, **becomes}


@pytest.mark.parametrize(
    ("temperature", "top_p", "becomes"),
    [
        (1, 1.0, {"temperature": 1.0}),
        (0, 1, {"temperature": 0.0}),
        (1, 0.5, {"top_p": 0.5}),
        (2, 0.5, {"top_p": 0.5}),
        (0.2, 0.5, {"temperature": 0.2}),
    ],
)
def test_a_default_is_not_sent_beside_another_sampling_field(
    temperature: float, top_p: float, becomes: dict[str, float]
) -> None:
    """Clients send both with their defaults, and many of Anthropic's models refuse the two together."""
    asked = told(temperature=temperature, top_p=top_p)
    assert {name: asked[name] for name in ("temperature", "top_p") if name in asked} == becomes


@pytest.mark.parametrize(
    ("configured", "fields", "limit"),
    [
        (None, {}, MAX_TOKENS),
        (64_000, {}, 64_000),
        (64_000, {"max_tokens": 5}, 5),
        (None, {"max_tokens": 5, "max_completion_tokens": 6}, 6),
        (None, {"reasoning_effort": "high"}, MAX_TOKENS + BUDGETS["high"]),
    ],
)
def test_the_limit_is_the_client_s_then_the_model_s_then_ours(
    configured: int | None, fields: dict[str, Any], limit: int
) -> None:
    assert told(settings={"max_tokens": configured}, **fields)["max_tokens"] == limit


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"type": "tool", "name": "f"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_a_choice_of_tools_is_said_in_anthropic_s_words(fields: dict[str, Any], choice: Any) -> None:
    assert told(tools=[TOOL], **fields).get("tool_choice") == choice


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    bare = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    assert told(tools=[bare])["tools"] == [
        {
            "name": "f",
            "input_schema": {"type": "object", "properties": {}},
            "cache_control": {"type": "ephemeral"},
        }
    ]


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("claude-3-5-haiku-latest", {"temperature", "top_p", "top_k"}),
        ("local-model", {"temperature", "top_p", "top_k"}),
        ("claude-haiku-4-5", {"temperature", "top_k"}),
        ("anthropic/claude-opus-4.6", {"temperature", "top_k"}),
        ("claude-opus-4-7", set()),
        ("claude-opus-4-8-20260601", set()),
        ("claude-sonnet-5", set()),
        ("us.anthropic.claude-opus-4-7-v1:0", set()),
    ],
)
def test_a_model_gets_the_sampling_fields_that_it_accepts(model: str, kept: set[str]) -> None:
    requested = told(model, temperature=0.2, top_p=0.5, top_k=3)
    assert {"temperature", "top_p", "top_k"} & set(requested) == kept


# How hard to think


def test_an_older_model_gets_a_budget_and_no_sampling() -> None:
    asked = told(reasoning_effort="low", temperature=0.1, top_p=0.5, top_k=3)
    assert asked["thinking"] == {"type": "enabled", "budget_tokens": BUDGETS["low"]}
    assert not {"temperature", "top_p", "top_k"} & set(asked)


def test_a_newer_model_gets_an_effort() -> None:
    asked = told(NEW, reasoning_effort="minimal", max_tokens=10)
    assert asked["thinking"] == {"type": "adaptive"} and asked["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (OLD, {"reasoning_effort": "none"}),
        (OLD, {"reasoning_effort": "high", "max_tokens": 1000}),
        (OLD, {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": "required"}),
        (NEW, {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": "required"}),
        (
            OLD,
            {
                "reasoning_effort": "high",
                "messages": [USER, {"role": "tool", "tool_call_id": "1", "content": "r"}],
            },
        ),
        (OLD, {"reasoning_effort": "high", "messages": [USER, {"role": "assistant", "content": "{"}]}),
    ],
    ids=[
        "none",
        "no room",
        "forced tool",
        "forced tool, newer",
        "a turn without its thinking",
        "words to go on from",
    ],
)
def test_an_effort_yields_to_what_anthropic_would_refuse_it_for(model: str, fields: dict[str, Any]) -> None:
    assert "thinking" not in told(model, **fields)


@pytest.mark.parametrize(
    ("model", "fields", "ignored"),
    [
        (OLD, {}, ()),
        (NEW, {}, ()),
        (NEW, {"tools": [TOOL], "tool_choice": "required"}, ()),
        (OLD, {"tools": [TOOL], "tool_choice": "required"}, ("reasoning_effort",)),
        (OLD, {"thinking": {"type": "disabled"}}, ("reasoning_effort",)),
        (OLD, {"response_format": SCHEMA_FORMAT, "messages": [USER, {"role": "assistant", "content": "{"}]},
         ("reasoning_effort",)),
        (OLD, {"reasoning_effort": "none"}, ()),
    ],
)  # fmt: skip
def test_an_effort_that_yields_is_reported(
    model: str, fields: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    made = exchange(model)
    body = {"messages": [USER], "reasoning_effort": "high", **fields}
    made.translate_request(json.dumps(body).encode())
    assert made.ignored == ignored


def test_a_server_that_differs_gets_what_it_accepts() -> None:
    made = exchange(compat=Compat(supports_temperature=False, requires_string_content=True))
    body = {"messages": [{"role": "system", "content": "s"}, USER], "temperature": 0, "seed": 1}
    sent = json.loads(made.translate_request(json.dumps(body).encode()))
    assert (
        sent["messages"] == [USER] and "temperature" not in sent and made.ignored == ("seed", "temperature")
    )


def test_no_effort_turns_thinking_off_where_it_may_be_on() -> None:
    assert told(NEW, reasoning_effort="none")["thinking"] == {"type": "disabled"}


def test_anthropics_own_fields_take_precedence() -> None:
    asked = told(reasoning_effort="high", thinking={"type": "enabled", "budget_tokens": 2000}, temperature=1)
    assert asked["thinking"]["budget_tokens"] == 2000 and asked["temperature"] == 1
    assert told(NEW, reasoning_effort="high", output_config={"effort": "max"})["output_config"] == {
        "effort": "max"
    }


def test_no_effort_is_requested_of_a_model_that_cannot_think() -> None:
    assert "thinking" not in told(settings={"compat": Compat(reasoning=False)}, reasoning_effort="high")


# What is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2), ("n", 0), ("logprobs", True), ("modalities", ["text", "audio"]), ("functions", []),
        ("function_call", "auto"), ("web_search_options", {}), ("max_tokens", 0), ("max_completion_tokens", -1),
        ("temperature", 2.1), ("temperature", -1), ("reasoning_effort", "heroic"),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "n"}}),
    ],
)  # fmt: skip
def test_a_field_that_changes_the_response_is_rejected_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"'{field}' ") as refused:
        told(**{field: value})
    assert refused.value.param == field


@pytest.mark.parametrize(
    "choice", ["sometimes", {"type": "allowed_tools", "allowed_tools": {}}, {"type": "function"}]
)
def test_a_choice_that_cannot_be_translated_is_rejected(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        told(tools=[TOOL], tool_choice=choice)
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize(("mode", "kind"), [("auto", "auto"), ("required", "any")])
def test_only_the_allowed_tools_are_sent(mode: str, kind: str) -> None:
    """As the AI SDK's `allowedTools` requests it."""
    other = {"type": "function", "function": {"name": "other"}}
    allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": "other"}}]}
    sent = told(tools=[TOOL, other], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool["name"] for tool in sent["tools"]] == ["other"] and sent["tool_choice"] == {"type": kind}


def test_a_tool_that_is_no_function_is_rejected_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as refused:
        told(tools=[TOOL, {"type": "custom", "custom": {"name": "c"}}])
    assert refused.value.param == "tools[1]"


# Answers


def test_usage_ends_a_stream_only_if_it_was_requested() -> None:
    stream = (
        b'data: {"type":"message_start","message":{"id":"m","content":[]}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    for options, expected in (({}, False), ({"stream_options": {"include_usage": True}}, True)):
        asking = exchange()
        asking.translate_request(json.dumps({"messages": [USER], "stream": True, **options}).encode())
        assert asking.streams
        fed = Fed(asking)
        assert (b'"usage"' in fed.feed(stream) + fed.end()) is expected


def test_a_stream_that_was_not_requested_is_still_read() -> None:
    with pytest.raises(UpstreamClosed):
        Fed(exchange()).end()


def test_a_refusal_keeps_its_text() -> None:
    body = b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'
    assert json.loads(exchange().translate_error(404, body))["error"]["message"] == "model: x"
