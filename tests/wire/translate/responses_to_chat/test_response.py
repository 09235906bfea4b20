"""The response object has every field that clients read, and a call the form of its tool."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response, ResponseCustomToolCall, ResponseFunctionToolCall, ResponseUsage
from openai.types.responses.response_output_item import LocalShellCall

from clawgate.wire.responses.types import ResponsesRequest
from clawgate.wire.translate.responses_to_chat import response
from clawgate.wire.translate.responses_to_chat.tools import KnownTool


def head(**sent: Any) -> dict[str, Any]:
    return response.head_of(ResponsesRequest(), response.Repeated(**sent), model="m", created=7, unique="u")


def test_a_response_has_every_field_even_where_the_request_has_none() -> None:
    made = Response.model_validate({**head(), **response.state("stop", response.usage({})), "output": []})
    assert (made.id, made.status, made.temperature, made.tool_choice) == ("resp_u", "completed", 1.0, "auto")


def test_a_response_repeats_the_request_as_it_came() -> None:
    made = head(metadata={"k": "v"}, temperature=0.5, service_tier="auto", text={"verbosity": "low"}, user=None,
                tools=[{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}])  # fmt: skip
    assert made["metadata"] == {"k": "v"} and made["temperature"] == 0.5 and made["service_tier"] == "default"
    assert made["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert made["tools"] == [
        {"description": None, "parameters": None, "strict": None, "type": "function", "name": "f"},
        {"type": "custom", "name": "c"},
    ]


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        (None, "in_progress", None),
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("eos", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_finish_reason_is_the_status(finish: str | None, status: str, details: object) -> None:
    made = response.state(finish, None)
    assert (made["status"], made["incomplete_details"]) == (status, details)


@pytest.mark.parametrize(
    ("counts", "made"),
    [
        ({"prompt_tokens": 9, "completion_tokens": "4", "prompt_tokens_details": {"cached_tokens": 5.0},
          "completion_tokens_details": {"reasoning_tokens": 3}}, (9, 5, 4, 3, 13)),
        (None, (0, 0, 0, 0, 0)),
        ({"prompt_tokens": -1, "total_tokens": 8}, (0, 0, 0, 0, 8)),
    ],
)  # fmt: skip
def test_counts_are_read_however_they_are_written(counts: object, made: tuple[int, ...]) -> None:
    read = ResponseUsage.model_validate(response.usage(counts))
    assert made == (
        read.input_tokens, read.input_tokens_details.cached_tokens, read.output_tokens,
        read.output_tokens_details.reasoning_tokens, read.total_tokens,
    )  # fmt: skip


def item(kind: str, arguments: str, namespace: str | None = None) -> dict[str, Any]:
    tool = KnownTool(kind, "f", namespace)
    return response.call_item(tool, item_id="i", call_id="c", arguments=arguments, status="completed")


def test_a_call_has_the_form_of_its_tool() -> None:
    call = ResponseFunctionToolCall.model_validate(item("function", "{}", "ns"))
    assert (call.name, call.namespace, call.arguments) == ("f", "ns", "{}")
    assert ResponseCustomToolCall.model_validate(item("custom", '{"input": "x"}')).input == "x"
    shell = LocalShellCall.model_validate(item("local_shell", '{"command": ["ls", 1], "timeout_ms": 5}'))
    assert shell.action.command == ["ls", "1"] and shell.action.timeout_ms == 5
    assert item("tool_search", '{"query": "q"}')["arguments"] == {"query": "q"}


def test_a_shell_call_of_a_text_is_run_by_a_shell() -> None:
    assert item("local_shell", '{"command": "ls | wc"}')["action"]["command"] == ["bash", "-lc", "ls | wc"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input": "x\\n"}', "x\n"),
        ("{}", ""),
        ("*** Begin", "*** Begin"),
        ('{"patch": "x"}', '{"patch": "x"}'),
    ],
)
def test_the_input_of_a_custom_tool_is_a_text_whatever_the_model_wrote(arguments: str, text: str) -> None:
    assert response.custom_input(arguments) == text
