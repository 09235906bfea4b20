"""Each tool reaches the upstream as a function, is rejected by name, or is reported; a call finds its tool again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.responses.types import ResponsesRequest, Tool
from clawgate.wire.translate.responses_to_chat import tools
from clawgate.wire.translate.responses_to_chat.tools import KnownTool, ToolTable

FUNCTION: dict[str, Any] = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {}},
}
CODEX_SEARCH: dict[str, Any] = {"type": "web_search", "external_web_access": False}


def table(*declared: dict[str, Any]) -> ToolTable:
    made = ToolTable()
    made.add_all(msgspec.convert(declared, list[Tool]), "tools")
    return made


def fields(*declared: dict[str, Any], **request: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    tools.set_tools(table(*declared), msgspec.convert(request, ResponsesRequest), made)
    return made


def names(made: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in made["tools"]]


def test_functions_keep_what_the_model_reads() -> None:
    strict = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    optional = {"type": "object", "properties": {"a": {"type": "string"}}}
    made = fields(
        {**FUNCTION, "description": "d", "parameters": strict, "strict": True},
        {**FUNCTION, "name": "g", "parameters": optional, "strict": True},
        {"type": "function", "name": "h"},
    )
    assert [tool["function"] for tool in made["tools"]] == [
        {
            "name": "f",
            "description": "d",
            "parameters": {**strict, "additionalProperties": False},
            "strict": True,
        },
        {"name": "g", "parameters": optional, "strict": False},
        {"name": "h", "parameters": {"type": "object", "properties": {}}},
    ]


def test_tools_that_the_client_runs_become_functions_and_are_found_again() -> None:
    made = table(
        {
            "type": "custom",
            "name": "apply_patch",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start"},
        },
        {"type": "namespace", "name": "ns", "tools": [{**FUNCTION, "name": "g"}]},
        {"type": "local_shell"},
        {"type": "tool_search", "execution": "client", "description": "d", "parameters": {"type": "object"}},
    )
    assert [*made.functions] == ["apply_patch", "ns__g", "local_shell", "tool_search"]
    patch: Any = made.functions["apply_patch"]["function"]
    assert "lark" in patch["description"] and [*patch["parameters"]["properties"]] == ["input"]
    assert made.called("apply_patch") == KnownTool("custom", "apply_patch")
    assert made.called("ns__g") == KnownTool("function", "g", "ns")
    assert (
        made.called("local_shell").kind == "local_shell" and made.called("tool_search").kind == "tool_search"
    )
    assert made.called("unknown") == KnownTool("function", "unknown")


def test_a_long_name_is_shortened_and_found_again() -> None:
    tool = KnownTool("function", "n" * 40, "m" * 40)
    made = table({"type": "namespace", "name": "m" * 40, "tools": [{**FUNCTION, "name": "n" * 40}]})
    (short,) = made.functions
    assert len(short) <= 64 and short == made.upstream_name(tool) and made.called(short) == tool


@pytest.mark.parametrize(
    "kind",
    [
        "file_search", "code_interpreter", "mcp", "image_generation", "computer_use_preview", "computer", "shell",
        "apply_patch", "web_search", "web_search_preview", "tool_search", "programmatic_tool_calling",
    ],
)  # fmt: skip
def test_a_tool_that_openai_runs_is_rejected_by_name(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=kind) as caught:
        table(FUNCTION, {"type": kind})
    assert caught.value.param == "tools[1]"


def test_the_search_that_codex_offers_unasked_is_left_out_and_reported() -> None:
    made = table(FUNCTION, CODEX_SEARCH)
    assert [*made.functions] == ["f"] and made.ignored == {"tools.web_search"}
    with pytest.raises(InvalidRequest, match="web_search"):
        table(CODEX_SEARCH)
    with pytest.raises(InvalidRequest, match="tool_choice"):
        fields(FUNCTION, CODEX_SEARCH, tool_choice={"type": "web_search"})


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "function"}, "tools[0].name"),
        ({"type": "namespace", "tools": [FUNCTION]}, "tools[0].name"),
        ({"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}, "tools[0].tools[0]"),
        (
            {"type": "namespace", "name": "n", "tools": [{"type": "namespace", "name": "m"}]},
            "tools[0].tools[0]",
        ),
        ({**FUNCTION, "allowed_callers": ["programmatic"]}, "tools[0].allowed_callers"),
    ],
)
def test_a_tool_that_cannot_be_had_is_rejected_by_its_path(tool: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        table(tool)
    assert caught.value.param == param


def test_two_tools_of_one_name_are_rejected() -> None:
    with pytest.raises(InvalidRequest, match="'ns__f'"):
        table({**FUNCTION, "name": "ns__f"}, {"type": "namespace", "name": "ns", "tools": [FUNCTION]})


def test_members_without_effect_are_reported() -> None:
    made = table({**FUNCTION, "output_schema": {}, "async": True})
    assert made.ignored == {"tools.output_schema", "tools.async"}


def test_what_a_namespace_is_for_is_part_of_what_its_functions_are_for() -> None:
    inner = {**FUNCTION, "description": "Ends one."}
    made: Any = table(
        {"type": "namespace", "name": "ns", "description": "Agents.", "tools": [inner]}
    ).functions
    assert made["ns__f"]["function"]["description"] == "Agents.\n\nEnds one."


@pytest.mark.parametrize(
    ("choice", "becomes"),
    [
        ("auto", "auto"), ("none", "none"), ("required", "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "custom", "name": "c"}, {"type": "function", "function": {"name": "c"}}),
        ({"type": "function", "name": "g", "namespace": "ns"}, {"type": "function", "function": {"name": "ns__g"}}),
        ({"type": "local_shell"}, {"type": "function", "function": {"name": "local_shell"}}),
    ],
)  # fmt: skip
def test_a_choice_names_a_function(choice: object, becomes: object) -> None:
    namespace = {"type": "namespace", "name": "ns", "tools": [{**FUNCTION, "name": "g"}]}
    made = fields(
        FUNCTION, {"type": "custom", "name": "c"}, namespace, {"type": "local_shell"}, tool_choice=choice,
        parallel_tool_calls=False,
    )  # fmt: skip
    assert made["tool_choice"] == becomes and made["parallel_tool_calls"] is False


def test_only_tools_that_are_allowed_are_sent() -> None:
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "g"}, {"type": "web_search"}],
    }
    made = fields(FUNCTION, {**FUNCTION, "name": "g"}, CODEX_SEARCH, tool_choice=allowed)
    assert names(made) == ["g"] and made["tool_choice"] == "required"


@pytest.mark.parametrize(
    "choice",
    [
        "any", {"type": "function", "name": "x"}, {"type": "function"}, {"type": "mcp"},
        {"type": "allowed_tools", "tools": []}, {"type": "allowed_tools", "tools": [{"type": "function", "name": "x"}]},
    ],
)  # fmt: skip
def test_a_choice_that_cannot_be_had_is_rejected(choice: object) -> None:
    with pytest.raises(InvalidRequest, match="tool_choice"):
        fields(FUNCTION, tool_choice=choice)


def test_without_tools_there_is_no_choice() -> None:
    assert fields(tool_choice="auto", parallel_tool_calls=True) == {}
    with pytest.raises(InvalidRequest, match="tool_choice"):
        fields(tool_choice="required")
