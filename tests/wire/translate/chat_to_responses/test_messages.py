"""A conversation reaches a Responses server as the items that its SDK knows, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.responses import ResponseInputParam
from pydantic import TypeAdapter

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.chat_to_responses.messages import InputItems, split_instructions
from clawgate.wire.translate.chat_to_responses.request_types import CHAT_REQUEST

PNG = "iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
LONG = "call_" + "a" * 64
USER = {"role": "user", "content": "hi"}
SEALED = {"type": "reasoning.encrypted", "data": "e", "id": "rs_1", "format": "openai-responses-v1"}
_input: TypeAdapter[Any] = TypeAdapter(ResponseInputParam)


def messages_of(*messages: Any) -> Any:
    return CHAT_REQUEST.decode(msgspec.json.encode({"messages": messages})).messages


def made_of(*messages: Any) -> InputItems:
    made = InputItems()
    for number, message in enumerate(messages_of(*messages)):
        made.add(message, f"messages[{number}]")
    return made


def items_of(*messages: Any) -> list[Any]:
    items = made_of(*messages).items
    _input.validate_python(items)
    return items


def call(call_id: str = "call_1", **members: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}, **members}


def parts(*given: Any) -> Any:
    return items_of({"role": "user", "content": given})[0]["content"]


def test_messages_keep_their_roles_and_places() -> None:
    """A system message in mid-conversation stays there."""
    said = [("system", "a"), ("developer", "b"), ("user", "c"), ("assistant", "d"), ("system", "e")]
    items = items_of(*({"role": role, "content": content} for role, content in said))
    assert [(item["role"], item["content"]) for item in items] == said


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
         {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}}),
        ({"type": "image_url", "image_url": {"url": "https://e/a.png"}},
         {"type": "input_image", "image_url": "https://e/a.png", "detail": "auto"}),
        ({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PNG}", "detail": "low"}},
         {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"}),
        ({"type": "image_url", "image_url": {"url": "data:image/x-new;base64,aGk="}},
         {"type": "input_image", "image_url": "data:image/x-new;base64,aGk=", "detail": "auto"}),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
         {"type": "input_file", "file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}),
        ({"type": "file", "file": {"file_id": "file-1"}}, {"type": "input_file", "file_id": "file-1"}),
    ],
)  # fmt: skip
def test_a_part_becomes_one_of_the_input(part: Any, sent: Any) -> None:
    assert parts({"type": "text", "text": "a"}, part) == [{"type": "input_text", "text": "a"}, sent]


def test_a_single_text_is_a_string() -> None:
    assert parts({"type": "text", "text": "t"}) == "t"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "messages[1].content[0].type"),
        ({"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}, "messages[1].content[0].file"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[1].audio"),
        ({"role": "assistant", "tool_calls": [call(type="mcp")]}, "messages[1].tool_calls[0]"),
        ({"role": "assistant", "function_call": {"arguments": "{}"}}, "messages[1].function_call"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_rejected_by_its_path(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        made_of(USER, message)
    assert rejected.value.param == param


def test_names_and_marks_of_other_services_are_reported() -> None:
    marked = {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}}
    made = made_of({**USER, "name": "anna"}, {"role": "assistant", "content": [marked], "name": "bot"})
    assert made.ignored == {"messages.name", "cache_control"}


def test_a_turn_has_its_reasoning_first_then_words_then_calls() -> None:
    turn = {"role": "assistant", "content": "w", "tool_calls": [call()], "reasoning_details": [SEALED]}
    kinds = [item["type"] for item in items_of(USER, turn)]
    assert kinds == ["message", "reasoning", "message", "function_call"]


@pytest.mark.parametrize("content", [None, "", []])
def test_a_turn_in_which_nothing_is_left_is_left_out(content: Any) -> None:
    """OpenAI rejects reasoning that nothing follows."""
    turn = {"role": "assistant", "content": content, "reasoning_details": [SEALED]}
    assert len(made_of(USER, turn, USER).items) == 2


def test_a_refusal_stays_one() -> None:
    for turn in (
        {"role": "assistant", "content": "a", "refusal": "no"},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
        },
    ):
        [item] = made_of(turn).items
        assert item["content"] == [
            {"type": "output_text", "text": "a", "annotations": []},
            {"type": "refusal", "refusal": "no"},
        ]


def test_results_follow_their_calls_by_their_kind() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "x", "input": "in"}}
    image = {"type": "image_url", "image_url": {"url": "https://e/a.png"}}
    items = items_of(
        {"role": "assistant", "tool_calls": [call("f"), custom]},
        {"role": "tool", "tool_call_id": "c", "content": "out"},
        {"role": "tool", "tool_call_id": "f", "content": [{"type": "text", "text": "t"}, image]},
    )
    assert items[1:3] == [
        {"type": "custom_tool_call", "call_id": "c", "name": "x", "input": "in"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "out"},
    ]
    assert items[3]["type"] == "function_call_output"
    assert [part["type"] for part in items[3]["output"]] == ["input_text", "input_image"]


@pytest.mark.parametrize(("content", "sent"), [("x", "Error: x"), ("Error: y", "Error: y"), (None, "Error")])
def test_a_result_that_failed_says_so(content: Any, sent: str) -> None:
    failed = {"role": "tool", "tool_call_id": "call_1", "content": content, "is_error": True}
    assert items_of({"role": "assistant", "tool_calls": [call()]}, failed)[1]["output"] == sent


def test_a_long_id_is_shortened_for_the_call_and_its_result() -> None:
    made, result = items_of(
        {"role": "assistant", "tool_calls": [call(LONG)]},
        {"role": "tool", "tool_call_id": LONG, "content": "ok"},
    )
    assert made["call_id"] == result["call_id"] and len(made["call_id"]) <= 40


@pytest.mark.parametrize("given", ["call_0", "", None, "functions.f:0"])
def test_an_id_that_comes_again_is_distinguished(given: Any) -> None:
    """Some servers count the calls of each response from 0, others leave ids out."""
    turn = [
        {"role": "assistant", "tool_calls": [call(given)]},
        {"role": "tool", "tool_call_id": given, "content": "ok"},
    ]
    ids = [item["call_id"] for item in items_of(*turn, *turn)]
    assert ids[0] == ids[1] != ids[2] == ids[3] and all(ids)
    assert given in (None, "") or ids[0] == given


def test_a_conversation_of_the_old_form_goes_on() -> None:
    old = [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}},
        {"role": "function", "name": "f", "content": "ok"},
    ]
    items = items_of(*old, *old)
    assert [item["type"] for item in items] == ["function_call", "function_call_output"] * 2
    assert items[0]["call_id"] == items[1]["call_id"] != items[2]["call_id"] == items[3]["call_id"]


def test_leading_instructions_are_joined() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": ""}]}
    leading = [{"role": "developer", "content": "a"}, system]
    assert split_instructions(messages_of(*leading, USER, {"role": "system", "content": "c"})) == (
        "a\n\nb",
        2,
    )
    assert split_instructions(messages_of(USER)) == (None, 0)
    assert split_instructions(messages_of(*leading)) == ("a\n\nb", 2)
