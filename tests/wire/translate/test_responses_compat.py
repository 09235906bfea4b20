"""A request of the Responses API has the fields that its server accepts; what was left out is reported."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.responses_compat import adapt_responses_request

TOOL = {"type": "function", "name": "f", "parameters": {"pattern": "x"}}


@pytest.mark.parametrize(
    ("compat", "given", "made", "ignored"),
    [
        (NO_COMPAT, {"store": True}, {"store": True}, []),
        (Compat(supports_store=False), {"store": True}, {}, ["store"]),
        (Compat(supports_temperature=False), {"temperature": 1}, {}, ["temperature"]),
        (Compat(supports_prompt_cache_key=False), {"prompt_cache_key": "k"}, {}, ["prompt_cache_key"]),
        (Compat(supports_reasoning_effort=False), {"reasoning": {"effort": "low"}}, {}, ["reasoning.effort"]),
        (
            Compat(supports_reasoning_effort=False),
            {"reasoning": {"summary": "auto"}},
            {"reasoning": {"summary": "auto"}},
            [],
        ),
        (
            Compat(supports_instructions=False),
            {"instructions": "i", "input": "x"},
            {"input": [{"role": "system", "content": "i"}, {"role": "user", "content": "x"}]},
            [],
        ),
        (
            Compat(supports_instructions=False),
            {"instructions": "i", "input": [5]},
            {"input": [{"role": "system", "content": "i"}, 5]},
            [],
        ),
        (
            Compat(supports_developer_role=False),
            {"input": [{"role": "developer"}, 5]},
            {"input": [{"role": "system"}, 5]},
            [],
        ),
        (
            Compat(supports_strict_mode=False),
            {"tools": [{**TOOL, "strict": True}, {"type": "web_search"}]},
            {"tools": [TOOL, {"type": "web_search"}]},
            ["tools.strict"],
        ),
        (
            Compat(unsupported_tool_schema_keywords=("pattern",)),
            {"tools": [dict(TOOL)]},
            {"tools": [{**TOOL, "parameters": {}}]},
            [],
        ),
        (Compat(supports_tools=False), {"tools": [TOOL], "parallel_tool_calls": True}, {}, ["tools"]),
    ],
)
def test_a_field_is_fitted_or_left_out(
    compat: Compat, given: dict[str, Any], made: dict[str, Any], ignored: list[str]
) -> None:
    assert adapt_responses_request(given, compat) == ignored
    assert given == made


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "f"}])
def test_a_call_that_is_forced_is_not_dropped_in_silence(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        adapt_responses_request({"tools": [TOOL], "tool_choice": choice}, Compat(supports_tools=False))
    assert rejected.value.param == "tool_choice"
