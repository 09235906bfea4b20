"""What a server writes in its own names is read as what it is."""

from __future__ import annotations

import pytest

from clawgate.wire.openai.types import ChoiceDelta, FunctionPiece, ToolCallPiece
from clawgate.wire.translate.chat_upstream import completion

DETAILS: object = [
    {"type": "reasoning.text", "text": "a", "signature": "s"},
    {"type": "reasoning.summary", "summary": "b"},
    {"type": "response.text", "text": "c"},
    "none",
]


@pytest.mark.parametrize(
    ("delta", "read"),
    [
        (ChoiceDelta(reasoning_content="a", reasoning="b"), "a"),
        (ChoiceDelta(reasoning="b"), "b"),
        (ChoiceDelta(reasoning_details=DETAILS), "ab"),
        (ChoiceDelta(reasoning_details="none"), ""),
    ],
)
def test_reasoning_is_read_once_by_its_first_name(delta: ChoiceDelta, read: str) -> None:
    assert completion.reasoning_of(delta) == read


def test_visible_details_are_text_and_nothing_to_return() -> None:
    delta = ChoiceDelta(reasoning_details=DETAILS, extra_content={"google": 1})
    visible = ("response.text",)
    assert completion.visible_details(delta, visible) == "c"
    opaque = completion.opaque_members_of_message(delta, visible)
    assert opaque["extra_content"] == {"google": 1} and "c" not in str(opaque["reasoning_details"])


def test_the_call_of_the_old_form_counts_if_there_is_no_other() -> None:
    old, new = FunctionPiece("f", "{}"), ToolCallPiece(id="1")
    assert [call.function for call in completion.calls_of(ChoiceDelta(function_call=old))] == [old]
    assert completion.calls_of(ChoiceDelta(function_call=old, tool_calls=[new])) == [new]
    assert completion.calls_of(ChoiceDelta(function_call=FunctionPiece())) == []


def test_arguments_are_text_whatever_was_sent() -> None:
    assert [completion.arguments_text(sent) for sent in (None, "{", {"a": 1})] == ["", "{", '{"a":1}']


def test_what_a_call_carries_is_kept() -> None:
    call = ToolCallPiece(thought_signature="s", extra_content=None)
    assert completion.opaque_members_of_call(call) == {"thought_signature": "s"}


def test_entities_become_characters_at_any_depth() -> None:
    assert completion.without_entities({"a": ["&lt;b&gt;", 1]}) == {"a": ["<b>", 1]}
