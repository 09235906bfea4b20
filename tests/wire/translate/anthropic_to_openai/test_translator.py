"""A Messages request becomes a chat request, or is refused by its field's name with the way out."""

from __future__ import annotations

import json
from random import Random
from string import ascii_letters
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.anthropic_to_openai.stream import CALL_WAITS_BYTES
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat
from clawgate.wire.translate.compat import Compat
from tests.wire.translate.anthropic_to_openai.test_stream import added_up

USER = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def exchange(**settings: Any) -> MessagesToChat:
    return MessagesToChat(requested_model="asked/model", upstream_model="gpt-x", **settings)


def told(settings: dict[str, Any] | None = None, **fields: Any) -> Any:
    body = json.dumps({"model": "x", "max_tokens": 9, "messages": [USER], **fields}).encode()
    return json.loads(exchange(**(settings or {})).translate_request(body))


def test_it_goes_to_the_chat_endpoint() -> None:
    assert exchange().target == b"/v1/chat/completions"


SCHEMA = {"type": "json_schema", "schema": {"type": "string"}}


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
        (
            "output_config",
            {"format": SCHEMA},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "response", "schema": {"type": "string"}, "strict": False},
                }
            },
        ),
        ("tool_choice", {"type": "any"}, {}),
        ("mcp_servers", [], {}),
        *((name, 1, {}) for name in ("top_k", "cache_control", "context_management", "never_heard_of")),
        *((name, None, {}) for name in ("temperature", "tools", "thinking", "system", "stream")),
    ],
)
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
    assert "reasoning_effort" not in told({"compat": Compat(reasoning=False)}, thinking=budget)


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
    schema = {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }  # OpenAI refuses an object that does not say it has none
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


# What the upstream signed

SIGNED = {"google": {"thought_signature": "SIG=="}}
DETAILS = [{"type": "reasoning.encrypted", "index": 0, "data": "ENC"}]


def turn_after(message: dict[str, Any], *, kept: tuple[str, ...] = ("tool_use", "thinking", "text")) -> Any:
    """Return the assistant's turn that the upstream gets in the next request, whole and streamed.

    ``kept`` are the types of blocks that the client sends back.
    """
    turns = []
    for is_streamed in (False, True):
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        body = json.dumps({"id": "c", "choices": [choice]}).encode()
        first = exchange(provider="p")
        if is_streamed:
            content = [block.to_dict() for block in added_up(first.response_as_stream(body)).content]
        else:
            content = json.loads(first.translate_response(body))["content"]
        returned = [block for block in content if block["type"] in kept]
        fields = {"max_tokens": 9, "messages": [USER, {"role": "assistant", "content": returned}, USER]}
        sent = json.loads(exchange(provider="p").translate_request(json.dumps(fields).encode()))
        turns.append(sent["messages"][1] if len(sent["messages"]) == 3 else None)
    assert turns[0] == turns[1]
    return turns[0]


def a_call(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"call-{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}, **more}


@pytest.mark.parametrize("member", ["extra_content", "provider_specific_fields"])
def test_a_signature_of_a_call_returns_to_its_call(member: str) -> None:
    calls = [a_call(1, **{member: SIGNED}), a_call(2)]
    assert turn_after({"tool_calls": calls}, kept=("tool_use",))["tool_calls"] == calls


def test_signed_reasoning_returns_with_the_call_that_followed_it() -> None:
    message = {"reasoning": "hm", "reasoning_details": DETAILS, "tool_calls": [a_call(1)]}
    for kept in (("tool_use",), ("tool_use", "thinking")):
        turn = turn_after(message, kept=kept)
        assert turn["reasoning_details"] == DETAILS and turn["tool_calls"] == [a_call(1)]


@pytest.mark.parametrize("members", [{"reasoning_details": DETAILS}, {"extra_content": SIGNED}])
def test_what_was_signed_returns_with_a_text(members: dict[str, Any]) -> None:
    assert turn_after({"content": "a", **members}) == {"role": "assistant", "content": "a", **members}


def test_a_signature_that_is_too_long_for_an_id_returns_with_the_thinking() -> None:
    dice = Random(1)
    long = {"google": {"thought_signature": "".join(dice.choices(ascii_letters, k=200_000))}}
    assert turn_after({"tool_calls": [a_call(1, extra_content=long)]})["tool_calls"] == [
        a_call(1, extra_content=long)
    ]


LATE: dict[str, list[dict[str, Any]]] = {
    "in a piece of its own": [{"tool_calls": [{"index": 0, "extra_content": SIGNED}]}],
    "with the arguments": [{"tool_calls": [{"index": 0, "function": {"arguments": " "}, "extra_content": SIGNED}]}],
    "behind text and another call": [
        {"content": "a"},
        {"tool_calls": [{"index": 1, **a_call(2)}]},
        {"tool_calls": [{"index": 0, "extra_content": SIGNED}]},
    ],
}  # fmt: skip


def late_turn(pieces: list[dict[str, Any]], *, kept: tuple[str, ...]) -> Any:
    """Return the turn that the upstream gets behind a stream of these deltas."""
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    out: list[bytes] = []
    first = exchange(provider="p")
    for chunk in (*chunks, end):
        first.feed(Event(b"", b"", json.dumps(chunk).encode()), out)
    first.end(out)
    content = [block.to_dict() for block in added_up(b"".join(out)).content if block.type in kept]
    fields = {"max_tokens": 9, "messages": [USER, {"role": "assistant", "content": content}]}
    return json.loads(exchange(provider="p").translate_request(json.dumps(fields).encode()))["messages"][1]


@pytest.mark.parametrize("late", LATE)
def test_a_signature_that_comes_behind_a_call_returns_with_the_call_alone(late: str) -> None:
    turn = late_turn(
        [{"tool_calls": [{"index": 0, **a_call(1)}]}, *LATE[late], {"reasoning_details": DETAILS}],
        kept=("tool_use",),
    )
    assert turn["tool_calls"][0]["extra_content"] == SIGNED and turn["reasoning_details"] == DETAILS


def test_a_signature_that_comes_behind_a_long_call_returns_with_the_thinking() -> None:
    long = json.dumps({"a": "x" * CALL_WAITS_BYTES})
    call = a_call(1) | {"function": {"name": "f", "arguments": long}}
    pieces = [
        {"tool_calls": [{"index": 0, **call}]},
        {"tool_calls": [{"index": 0, "extra_content": SIGNED}]},
        {"reasoning_details": DETAILS},
    ]
    turn = late_turn(pieces, kept=("tool_use", "thinking"))
    assert turn["tool_calls"][0]["extra_content"] == SIGNED and turn["reasoning_details"] == DETAILS


def test_what_one_provider_signed_is_not_sent_to_another() -> None:
    choice = {"message": {"reasoning_details": DETAILS, "tool_calls": [a_call(1, extra_content=SIGNED)]}}
    body = json.dumps({"choices": [{**choice, "finish_reason": "tool_calls"}]}).encode()
    content = json.loads(exchange(provider="p").translate_response(body))["content"]
    fields = {"max_tokens": 9, "messages": [USER, {"role": "assistant", "content": content}]}
    sent = json.loads(exchange(provider="q").translate_request(json.dumps(fields).encode()))
    assert sent["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [a_call(1)]}


# What has no effect


def test_hints_without_effect_are_reported() -> None:
    marked = {
        "role": "user",
        "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
    }
    fields = {"max_tokens": 9, "messages": [marked], "top_k": 5, "speed": None, "temperature": 1}
    asking = exchange()
    asking.translate_request(json.dumps(fields).encode())
    assert asking.ignored == ("top_k", "cache_control")


def test_thinking_that_a_model_cannot_do_is_reported() -> None:
    fields = {
        "max_tokens": 9,
        "messages": [USER],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
    }
    asking = exchange(compat=Compat(reasoning=False))
    asking.translate_request(json.dumps(fields).encode())
    assert asking.ignored == ("thinking", "output_config.effort")


def test_the_servers_own_differences_are_observed() -> None:
    compat = Compat(
        supports_usage_in_streaming=False, supports_developer_role=True, supports_temperature=False
    )
    fields = {"max_tokens": 9, "messages": [USER], "system": "s", "stream": True, "temperature": 1}
    asking = exchange(compat=compat)
    sent = json.loads(asking.translate_request(json.dumps(fields).encode()))
    assert "stream_options" not in sent and sent["messages"][0] == {"role": "developer", "content": "s"}
    assert asking.ignored == ("temperature",)


def test_marks_of_what_to_cache_reach_an_upstream_that_takes_them() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "a", **mark}
    result = {"type": "tool_result", "tool_use_id": "1", "content": "r", **mark}
    fields = {"max_tokens": 9, "system": [text], "messages": [{"role": "user", "content": [result, text]}]}
    asking = exchange(compat=Compat(cache_control_format="anthropic"))
    sent = json.loads(asking.translate_request(json.dumps(fields).encode()))["messages"]
    assert sent[0]["content"] == sent[2]["content"] == [text]
    assert sent[1]["content"] == [{"type": "text", "text": "r", **mark}] and asking.ignored == ()


def test_entities_in_arguments_are_characters_for_a_server_that_writes_them() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": '{"a":"&lt;b&gt; &amp;amp;","n":[1]}'}}
    body = json.dumps(
        {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    ).encode()
    compat = Compat(tool_call_arguments_encoding="html-entities")
    whole = json.loads(exchange(compat=compat).translate_response(body))["content"][0]["input"]
    streamed = added_up(exchange(compat=compat).response_as_stream(body)).content[0].input
    assert whole == streamed == {"a": "<b> &amp;", "n": [1]}


def test_reasoning_details_of_some_types_are_part_of_the_text() -> None:
    details = [{"type": "response.text", "text": "b"}, *DETAILS]
    body = json.dumps(
        {"choices": [{"message": {"reasoning_details": details}, "finish_reason": "stop"}]}
    ).encode()
    compat = Compat(visible_reasoning_detail_types=("response.text",))
    whole = json.loads(exchange(compat=compat).translate_response(body))["content"]
    streamed = [
        block.to_dict() for block in added_up(exchange(compat=compat).response_as_stream(body)).content
    ]
    for content in (whole, streamed):
        assert [block["text"] for block in content if block["type"] == "text"] == ["b"]
