"""A field that changes what the response means is translated or rejected by name; a hint without effect is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest, ThreadUnsupported
from clawgate.wire.anthropic.types import MESSAGES_REQUEST, MessagesRequest
from clawgate.wire.translate.anthropic_to_openai.request_fields import (
    check_supported,
    ignored_fields,
    requested_effort,
    response_format,
    thinks,
)

FULL = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def request(**fields: Any) -> MessagesRequest:
    turns = [{"role": "user", "content": "x"}]
    return MESSAGES_REQUEST.decode(json.dumps({"max_tokens": 1, "messages": turns, **fields}))


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "m"}, {}])
def test_a_thread_is_rejected_so_that_the_sdk_sends_all_again(thread: dict[str, str]) -> None:
    with pytest.raises(ThreadUnsupported) as rejected:
        check_supported(request(thread=thread, messages=[]))
    assert rejected.value.param == "thread"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"mcp_servers": [{"url": "https://e"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"container": {"skills": []}}, "container"),
        ({"compaction": {"type": "summarize"}}, "compaction"),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}]}},
         "context_management.edits[1]"),
        ({"context_management": {"edits": [{}]}}, "context_management.edits[0]"),
        ({"fallbacks": [{"model": "m"}]}, "fallbacks"),
        ({"billing_policy": {"type": "billing_policy", "bill_to": "user_profile"}}, "billing_policy"),
        ({"messages": []}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_rejected_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        check_supported(request(**fields))
    assert rejected.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {"mcp_servers": [], "container": None, "thread": None, "compaction": None},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        {"context_management": {}}, {"context_management": 5},
        {"fallbacks": "default"}, {"billing_policy": {"bill_to": "self"}},
    ],
)  # fmt: skip
def test_what_changes_nothing_is_accepted(fields: dict[str, Any]) -> None:
    check_supported(request(**fields))


def test_fields_without_effect_are_reported() -> None:
    read = request(service_tier="auto", output_config={"task_budget": {"total": 5}})
    present = ["model", "messages", "top_k", "service_tier", "speed", "of_next_year"]
    assert ignored_fields(read, present) == ["of_next_year", "speed", "top_k", "output_config.task_budget"]
    assert ignored_fields(request(service_tier="flex"), ["service_tier"]) == ["service_tier"]


def test_an_effort_of_a_system_message_counts_more() -> None:
    turns = [{"role": "user", "content": "x"}, {"role": "system", "output_config": {"effort": "max"}}]
    assert requested_effort(request(messages=turns, output_config={"effort": "low"})) == "max"


@pytest.mark.parametrize(
    ("fields", "enabled"),
    [
        ({}, False),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ({"output_config": {"effort": "high"}}, True),
    ],
)
def test_thinking_is_wanted_where_it_is_named(fields: dict[str, Any], enabled: bool) -> None:
    assert thinks(request(**fields)) == enabled


def test_the_format_of_the_output_is_strict_where_openai_accepts_it() -> None:
    strict = {"name": "response", "schema": FULL, "strict": True}
    wanted = {"type": "json_schema", "schema": FULL}
    for fields in ({"output_config": {"format": wanted}}, {"output_format": wanted}):
        assert response_format(request(**fields)) == {"type": "json_schema", "json_schema": strict}
    loose = {**FULL, "required": []}
    made = response_format(request(output_format={"type": "json_schema", "schema": loose}))
    assert made == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": loose, "strict": False},
    }
    assert response_format(request()) is None


@pytest.mark.parametrize("field", ["output_format", "output_config.format"])
def test_a_format_of_another_kind_is_rejected_by_its_name(field: str) -> None:
    name, _, inner = field.partition(".")
    value: Any = {"type": "grammar"}
    with pytest.raises(InvalidRequest) as rejected:
        response_format(request(**{name: {inner: value} if inner else value}))
    assert rejected.value.param == field
