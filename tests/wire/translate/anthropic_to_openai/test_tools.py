"""Tools keep their names, schemas and examples; what Anthropic runs itself is rejected, or not needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic.types import MESSAGES_REQUEST, Tool, ToolChoice
from clawgate.wire.translate.anthropic_to_openai.tools import chat_tools, set_tool_choice, tools_at_the_end
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames

OPEN = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "required": ["a"],
}
FULL = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def translated(*tools: Tool, keeps_cache_control: bool = False) -> list[dict[str, Any]]:
    entries = [(f"tools[{number}]", tool) for number, tool in enumerate(tools)]
    return chat_tools(entries, ToolNames(), keeps_cache_control=keeps_cache_control)


def function(tool: Tool) -> Any:
    return translated(tool)[0]["function"]


def test_strict_is_kept_where_openai_accepts_the_schema() -> None:
    strict = function(Tool("f", input_schema=FULL, strict=True))
    assert strict["strict"] is True and strict["parameters"] == {**FULL, "additionalProperties": False}
    loose = function(Tool("f", input_schema=OPEN, strict=True))
    assert loose["strict"] is False and loose["parameters"] == OPEN
    assert function(Tool("f", input_schema=FULL, strict=False))["strict"] is False
    assert "strict" not in function(Tool("f", input_schema=FULL))


def test_examples_of_the_input_are_part_of_the_description() -> None:
    tool = Tool("f", description="d", input_schema=FULL, input_examples=[{"a": "x"}, {"a": "y"}])
    assert function(tool)["description"] == 'd\n\nExamples of its input:\n{"a":"x"}\n{"a":"y"}'


@pytest.mark.parametrize("kind", ["web_search_20250305", "bash_20250124", "mcp_toolset"])
def test_a_tool_that_anthropic_runs_is_rejected_by_its_place(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=kind) as rejected:
        translated(Tool("f", input_schema=FULL), Tool("w", type=kind))
    assert rejected.value.param == "tools[1]" and "or leave it out" in rejected.value.message


def test_a_search_for_tools_has_nothing_left_to_find() -> None:
    tools = [Tool("s", type="tool_search_tool_regex_20251119"), Tool("f", input_schema=FULL)]
    assert [tool["function"]["name"] for tool in translated(*tools)] == ["f"]


def test_a_tool_that_only_code_may_call_is_left_out() -> None:
    assert translated(Tool("f", input_schema=FULL, allowed_callers=["code_execution_20250825"])) == []
    assert (
        len(translated(Tool("f", input_schema=FULL, allowed_callers=["direct", "code_execution_20250825"])))
        == 1
    )


def test_marks_of_what_to_cache_are_kept_for_an_upstream_that_takes_them() -> None:
    tool = Tool("f", input_schema=FULL, cache_control={"type": "ephemeral"})
    assert translated(tool, keeps_cache_control=True)[0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in translated(tool)[0]


def names(*turns: dict[str, Any]) -> list[str]:
    request = {"max_tokens": 1, "messages": turns, "tools": [{"name": "f"}, {"name": "g"}]}
    read = MESSAGES_REQUEST.decode(json.dumps(request))
    return [tool.name for _, tool in tools_at_the_end(read.tools, read.messages)]


def change(kind: str, **tool: Any) -> dict[str, Any]:
    return {"role": "system", "content": [{"type": kind, "tool": tool}]}


def test_a_conversation_adds_and_removes_tools() -> None:
    removal = change("tool_removal", type="tool_reference", name="f")
    addition = change("tool_addition", type="tool_reference", name="f")
    definition = change(
        "tool_addition", type="tool_definition", definition={"name": "h", "input_schema": FULL}
    )
    assert names() == names({"role": "system", "content": "a"}) == ["f", "g"]
    assert names(removal) == ["g"] and names(removal, addition) == ["f", "g"]
    assert names(definition, change("tool_removal", type="tool_reference", name="g")) == ["f", "h"]


def test_a_definition_that_cannot_be_read_is_rejected_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as rejected:
        names(change("tool_addition", type="tool_definition", definition={"name": 5}))
    assert rejected.value.param == "messages[0].content[0].tool"


def test_a_choice_that_is_none_is_rejected() -> None:
    with pytest.raises(InvalidRequest) as rejected:
        set_tool_choice(ToolChoice("tool"), {}, ToolNames())
    assert rejected.value.param == "tool_choice"
