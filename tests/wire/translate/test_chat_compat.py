"""A chat request has the fields that its server accepts; what was left out is reported, what was forced is not lost."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.chat_compat import adapt_chat_request
from clawgate.wire.translate.compat import NO_COMPAT, Compat

USER = {"role": "user", "content": "x"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}


def tool(**more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": SCHEMA, **more}}


@pytest.mark.parametrize(
    ("compat", "given", "made", "ignored"),
    [
        (NO_COMPAT, {"store": True, "max_tokens": 5}, {"store": True, "max_tokens": 5}, []),
        (Compat(supports_store=False), {"store": True}, {}, ["store"]),
        (Compat(supports_store=True), {}, {}, []),
        (Compat(supports_prompt_cache_key=False), {"prompt_cache_key": "k"}, {}, ["prompt_cache_key"]),
        (
            Compat(supports_long_cache_retention=False),
            {"prompt_cache_retention": "24h"},
            {},
            ["prompt_cache_retention"],
        ),
        (Compat(supports_temperature=False), {"temperature": 0, "top_p": 1}, {"top_p": 1}, ["temperature"]),
        (
            Compat(supports_usage_in_streaming=False),
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            ["stream_options"],
        ),
        (Compat(max_tokens_field="max_tokens"), {"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        (
            Compat(max_tokens_field="max_completion_tokens"),
            {"max_tokens": 5},
            {"max_completion_tokens": 5},
            [],
        ),
        (Compat(max_tokens_field="max_tokens"), {"max_tokens": 5}, {"max_tokens": 5}, []),
        (Compat(max_tokens_field="max_tokens"), {}, {}, []),
        (Compat(supports_reasoning_effort=False), {"reasoning_effort": "low"}, {}, ["reasoning_effort"]),
        (Compat(thinking_format="qwen"), {"reasoning_effort": "none"}, {"enable_thinking": False}, []),
        (Compat(thinking_format="qwen"), {}, {}, []),
        (Compat(thinking_format="qwen"), {"reasoning_effort": 5}, {"reasoning_effort": 5}, []),
        (Compat(open_router_routing={"sort": "price"}), {}, {"provider": {"sort": "price"}}, []),
        (
            Compat(vercel_gateway_routing={"only": ["a"]}),
            {},
            {"providerOptions": {"gateway": {"only": ["a"]}}},
            [],
        ),
        (
            Compat(supports_strict_mode=False),
            {"tools": [tool(strict=True), tool(strict=True)]},
            {"tools": [tool(), tool()]},
            ["tools.strict"],
        ),
        (Compat(supports_strict_mode=False), {"tools": [tool(strict=False)]}, {"tools": [tool()]}, []),
        (
            Compat(zai_tool_stream=True),
            {"tools": [tool()], "stream": True},
            {"tools": [tool()], "stream": True, "tool_stream": True},
            [],
        ),
        (Compat(zai_tool_stream=True), {"stream": True}, {"stream": True}, []),
        (
            Compat(supports_tools=False),
            {"tools": [tool()], "tool_choice": "auto", "parallel_tool_calls": True},
            {},
            ["tools"],
        ),
        (Compat(supports_tools=False), {"tools": 5}, {"tools": 5}, []),
        (
            Compat(supports_strict_mode=False),
            {"tools": [5, {"type": "custom"}]},
            {"tools": [5, {"type": "custom"}]},
            [],
        ),
    ],
)
def test_a_field_is_fitted_or_left_out(
    compat: Compat, given: dict[str, Any], made: dict[str, Any], ignored: list[str]
) -> None:
    fields = {"messages": [USER], **given}
    assert adapt_chat_request(fields, compat) == ignored
    assert fields == {"messages": [USER], **made}


def test_schemas_of_tools_lose_what_the_server_rejects() -> None:
    fields: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"pattern": "x"}}}]
    }
    adapt_chat_request(fields, Compat(unsupported_tool_schema_keywords=("pattern",)))
    assert fields["tools"][0]["function"]["parameters"] == {}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_call_that_is_forced_is_not_dropped_in_silence(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        adapt_chat_request({"tools": [tool()], "tool_choice": choice}, Compat(supports_tools=False))
    assert rejected.value.param == "tool_choice"


FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    "turns",
    [
        [USER],
        [{"role": "system", "content": "s"}, USER],
        [{"role": "developer", "content": [{"type": "text", "text": "s"}]}],
    ],
)
def test_a_schema_of_the_output_is_said_where_it_cannot_be_sent(turns: list[dict[str, Any]]) -> None:
    fields: dict[str, Any] = {"messages": [dict(turn) for turn in turns], "response_format": FORMAT}
    adapt_chat_request(fields, Compat(supports_json_schema_response_format=False))
    first = fields["messages"][0]
    assert "response_format" not in fields and first["role"] in ("system", "developer")
    before = [turn for turn in turns if turn["role"] != "user"]
    assert '{"type":"object"}' in str(first["content"]) and len(fields["messages"]) == len(turns) + (
        not before
    )
    assert str(first["content"]).startswith("Respond") == (not before)


@pytest.mark.parametrize("given", [{"type": "json_object"}, 5, {"type": "json_schema"}])
def test_another_format_of_the_output_stays(given: Any) -> None:
    fields: dict[str, Any] = {"messages": [USER], "response_format": given}
    adapt_chat_request(fields, Compat(supports_json_schema_response_format=False))
    assert fields["response_format"] == given


def test_what_is_no_conversation_is_left_to_the_server() -> None:
    fields: dict[str, Any] = {"messages": 5, "response_format": FORMAT}
    adapt_chat_request(
        fields, Compat(supports_json_schema_response_format=False, requires_string_content=True)
    )
    assert fields["messages"] == 5
