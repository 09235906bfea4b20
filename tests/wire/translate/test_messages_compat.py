"""A Messages request has the fields that its server accepts; what was left out is reported."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.messages_compat import adapt_messages_request

TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "pattern": "x"}}
LONG = {"type": "ephemeral", "ttl": "1h"}
SHORT = {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("compat", "given", "made", "ignored"),
    [
        (NO_COMPAT, {"temperature": 1, "tools": [TOOL]}, {"temperature": 1, "tools": [TOOL]}, []),
        (Compat(supports_temperature=False), {"temperature": 0}, {}, ["temperature"]),
        (
            Compat(supports_reasoning_effort=False),
            {"output_config": {"effort": "low"}},
            {},
            ["output_config.effort"],
        ),
        (
            Compat(supports_reasoning_effort=False),
            {"output_config": {"effort": "low", "format": 1}},
            {"output_config": {"format": 1}},
            ["output_config.effort"],
        ),
        (
            Compat(supported_reasoning_efforts=("low", "high"), reasoning_effort_map={"max": "ultra"}),
            {"output_config": {"effort": "medium"}},
            {"output_config": {"effort": "high"}},
            [],
        ),
        (
            Compat(reasoning_effort_map={"max": "ultra"}),
            {"output_config": {"effort": "max"}},
            {"output_config": {"effort": "ultra"}},
            [],
        ),
        (
            Compat(open_router_routing={"only": ["x"]}, vercel_gateway_routing={"order": ["y"]}),
            {},
            {"provider": {"only": ["x"]}, "providerOptions": {"gateway": {"order": ["y"]}}},
            [],
        ),
        (
            Compat(requires_string_content=True),
            {"system": [{"type": "text", "text": "a"}], "messages": [{"role": "user", "content": "x"}, 5]},
            {"system": "a", "messages": [{"role": "user", "content": "x"}, 5]},
            [],
        ),
        (
            Compat(supports_strict_mode=False),
            {"tools": [{**TOOL, "strict": True}, 5]},
            {"tools": [TOOL, 5]},
            ["tools.strict"],
        ),
        (
            Compat(supports_eager_tool_input_streaming=False),
            {"tools": [{**TOOL, "eager_input_streaming": True}]},
            {"tools": [TOOL]},
            [],
        ),
        (
            Compat(unsupported_tool_schema_keywords=("pattern",)),
            {"tools": [TOOL]},
            {"tools": [{**TOOL, "input_schema": {"type": "object"}}]},
            [],
        ),
        (Compat(supports_tools=False), {"tools": [TOOL], "tool_choice": {"type": "auto"}}, {}, ["tools"]),
        (
            Compat(supports_long_cache_retention=False),
            {
                "cache_control": dict(LONG),
                "system": [{"type": "text", "cache_control": dict(LONG)}],
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": [{"cache_control": dict(LONG)}]}],
                    }
                ],
            },
            {
                "cache_control": SHORT,
                "system": [{"type": "text", "cache_control": SHORT}],
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": [{"cache_control": SHORT}]}],
                    }
                ],
            },
            [],
        ),
    ],
)
def test_a_field_is_fitted_or_left_out(
    compat: Compat, given: dict[str, Any], made: dict[str, Any], ignored: list[str]
) -> None:
    fields = {
        name: [dict(one) if isinstance(one, dict) else one for one in value]
        if isinstance(value, list)
        else value
        for name, value in given.items()
    }
    assert adapt_messages_request(fields, compat) == ignored
    assert fields == made


@pytest.mark.parametrize("system", [None, "s", [{"type": "text", "text": "s"}]])
def test_a_schema_is_said_in_words_where_none_is_taken(system: Any) -> None:
    wanted = {"format": {"type": "json_schema", "schema": {"type": "null"}}}
    fields: dict[str, Any] = {"output_config": wanted, **({"system": system} if system else {})}
    assert adapt_messages_request(fields, Compat(supports_json_schema_response_format=False)) == []
    assert set(fields) == {"system"}
    kept, words = fields["system"], fields["system"]
    if isinstance(system, list):
        kept, words = (block["text"] for block in kept)
    assert kept.startswith("s" if system else "Respond") and words.endswith('schema:\n{"type":"null"}')


@pytest.mark.parametrize("kind", ["any", "tool"])
def test_a_call_that_is_forced_is_not_dropped_in_silence(kind: str) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        adapt_messages_request({"tools": [TOOL], "tool_choice": {"type": kind}}, Compat(supports_tools=False))
    assert rejected.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        (5, 5),
        ({"type": "new"}, {"type": "new"}),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_some_servers_of_the_dialect_want_openais_tools(choice: Any, made: Any) -> None:
    fields: dict[str, Any] = {"tools": [dict(TOOL), {"type": "web_search"}, 5], "tool_choice": choice}
    adapt_messages_request(fields, Compat(requires_open_ai_anthropic_tool_payload=True))
    function = {"name": "f", "description": "d", "parameters": TOOL["input_schema"]}
    assert fields["tools"] == [{"type": "function", "function": function}, {"type": "web_search"}, 5]
    assert fields["tool_choice"] == made
