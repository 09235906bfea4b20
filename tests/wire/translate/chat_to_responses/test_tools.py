"""Tools and choices of every kind that a chat request knows reach the Responses API in its own form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.chat_to_responses.request_types import CHAT_REQUEST
from clawgate.wire.translate.chat_to_responses.tools import set_tools

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
F = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
C = {"type": "custom", "custom": {"name": "c"}}


def fields_of(**members: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    set_tools(CHAT_REQUEST.decode(msgspec.json.encode({"messages": [], **members})), fields)
    return fields


@pytest.mark.parametrize(("given", "sent"), [(None, False), (False, False), (True, True)])
def test_a_function_is_strict_only_if_it_says_so(given: bool | None, sent: bool) -> None:
    """The Responses API's own default is strict, chat completions' is not."""
    [tool] = fields_of(tools=[{"type": "function", "function": {"name": "f", "strict": given}}])["tools"]
    assert tool == {
        "type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": sent
    }  # fmt: skip


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ({"type": "text"}, {"type": "text"}),
        (
            {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
            {"type": "grammar", "syntax": "lark", "definition": "x"},
        ),
    ],
)
def test_a_custom_tool_keeps_its_format(form: Any, sent: Any) -> None:
    custom = {"name": "c", "description": "d", "format": form}
    [tool] = fields_of(tools=[{"type": "custom", "custom": custom}])["tools"]
    assert tool == {"type": "custom", "name": "c", "description": "d", "format": sent}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "custom", "custom": {"name": "c"}}, {"type": "custom", "name": "c"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [F, C]}},
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
            },
        ),
    ],
)
def test_the_choice_keeps_its_meaning(choice: Any, sent: Any) -> None:
    assert fields_of(tools=[F, C], tool_choice=choice)["tool_choice"] == sent


@pytest.mark.parametrize(
    "choice",
    [
        "any",
        {"type": "function"},
        {"type": "custom", "function": {"name": "f"}},
        {"type": "mcp"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}},
        {"type": "allowed_tools"},
    ],
)
def test_a_choice_of_something_else_is_rejected(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        fields_of(tools=[F], tool_choice=choice)
    assert rejected.value.param == "tool_choice"


@pytest.mark.parametrize("tool", [{"type": "function"}, {"type": "custom"}, {"type": "web_search"}])
def test_a_tool_of_another_kind_is_rejected_by_its_path(tool: Any) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        fields_of(tools=[F, tool])
    assert rejected.value.param == "tools[1]"


@pytest.mark.parametrize(
    ("choice", "sent"), [("none", "none"), ({"name": "f"}, {"type": "function", "name": "f"})]
)
def test_functions_of_the_old_form_become_tools_that_are_called_one_at_a_time(choice: Any, sent: Any) -> None:
    fields = fields_of(functions=[{"name": "f", "parameters": SCHEMA}], function_call=choice)
    assert fields == {
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
        "tool_choice": sent,
        "parallel_tool_calls": False,
    }


def test_a_search_of_the_web_is_a_tool() -> None:
    place = {"type": "approximate", "approximate": {"country": "DE"}}
    [tool] = fields_of(web_search_options={"search_context_size": "high", "user_location": place})["tools"]
    assert tool == {
        "type": "web_search",
        "search_context_size": "high",
        "user_location": {"type": "approximate", "country": "DE"},
    }
    assert fields_of(web_search_options={})["tools"] == [{"type": "web_search"}]
    assert fields_of() == {}
