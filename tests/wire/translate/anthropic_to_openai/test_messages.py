"""What a client of the Messages API said arrives as chat messages, or is refused by its field's name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic.types import MESSAGES_REQUEST
from clawgate.wire.translate.anthropic_to_openai.messages import TurnTranslator
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames


def said(*messages: dict[str, Any], system: Any = None) -> list[dict[str, Any]]:
    request = {"max_tokens": 1, "system": system, "messages": messages}
    asked = MESSAGES_REQUEST.decode(json.dumps(request))
    turns = TurnTranslator(names=ToolNames(), ids=CallIds())
    return turns.translate(asked.system, asked.messages)


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def result(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "1", "content": content, **more}


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}}
SHOWN = {"type": "image_url", "image_url": {"url": "https://e/x.png"}}


@pytest.mark.parametrize("system", ["ab", [text("ab")]])
def test_the_system_prompt_comes_first(system: Any) -> None:
    assert said(user(text("c")), system=system)[0] == {"role": "system", "content": "ab"}


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_in_between_become_part_of_the_users_turn(role: str) -> None:
    """Many templates accept one system message, at the beginning."""
    between = {"role": role, "content": "b"}
    reminder = "<system-reminder>\nb\n</system-reminder>"
    assert said(user(text("a")), between, user(text("c")), system="s") == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": f"a\n\n{reminder}"},
        {"role": "user", "content": "c"},
    ]
    parts = said(user(text("a"), IMAGE), between)[0]["content"]
    assert parts == [text("a"), SHOWN, text(reminder)]


def test_instructions_in_front_of_all_turns_are_part_of_the_system_prompt() -> None:
    leading: list[dict[str, Any]] = [
        {"role": "system", "content": "b"},
        {"role": "developer", "content": [text("c")]},
    ]
    assert said(*leading, user(text("d")), system="a")[0] == {"role": "system", "content": "a\n\nb\n\nc"}


def test_instructions_never_come_between_a_call_and_its_result() -> None:
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    called: dict[str, Any] = {"role": "assistant", "content": [call]}
    between: dict[str, Any] = {"role": "system", "content": "b"}
    for turns in ([called, between, user(result("r"))], [called, user(result("r")), between]):
        made = said(*turns)
        assert [message["role"] for message in made] == ["assistant", "tool", "user"]
        assert "\nb\n" in made[2]["content"]
    answered = said(
        called, user(result("r")), between, {"role": "assistant", "content": "x"}, user(text("y"))
    )
    assert [message["role"] for message in answered] == ["assistant", "tool", "user", "assistant", "user"]


def test_instructions_that_are_cleared_are_not_shown() -> None:
    cleared = {"role": "system", "content": "b", "clear_at": "next_user_message"}
    assert "b" in str(said(user(text("a")), cleared))
    assert said(user(text("a")), cleared, user(text("c"))) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "c"},
    ]


def test_a_turn_of_the_assistant_in_which_nothing_is_left_is_left_out() -> None:
    sealed = {"type": "thinking", "thinking": "t", "signature": "s"}
    for content in (None, "", [], [sealed], [text("")]):
        roles = [
            message["role"] for message in said({"role": "assistant", "content": content}, user(text("a")))
        ]
        assert roles == ["user"]


def test_tool_results_come_first_in_their_turn() -> None:
    """Chat services want every tool message directly behind its call."""
    assert said(user(text("a"), result("r"), text("b"))) == [
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "user", "content": [text("a"), text("b")]},
    ]


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (result("r"), "r"),
        (result(None), ""),
        (result([text("r"), text("s")]), "r\n\ns"),
        (result("r", is_error=True), "Error: r"),
        (result("error 7", is_error=True), "error 7"),
        (result([], is_error=True), "Error"),
    ],
)
def test_a_result_is_its_text(block: dict[str, Any], content: str) -> None:
    assert said(user(block)) == [{"role": "tool", "tool_call_id": "1", "content": content}]


def test_an_image_in_a_result_is_shown_in_the_message_behind_it() -> None:
    tool, shown = said(user(result([IMAGE])))
    assert tool["content"] == "The result is attached to the next message."
    assert shown == {"role": "user", "content": [SHOWN]}


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ({"type": "base64", "media_type": "application/pdf", "data": "aGk="},
         [{"type": "file", "file": {"filename": "T", "file_data": "data:application/pdf;base64,aGk="}}]),
        ({"type": "text", "media_type": "text/plain", "data": "words"}, [text("T\nC\nwords")]),
        ({"type": "content", "content": "words"}, [text("T\nC\nwords")]),
        ({"type": "content", "content": [text("words"), IMAGE]}, [text("words"), SHOWN]),
    ],
)  # fmt: skip
def test_documents_become_files_or_text(source: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    document = {"type": "document", "title": "T", "context": "C", "source": source}
    (message,) = said(user(document, text("b")))
    assert message["content"] == [*parts, text("b")]


def test_a_search_result_is_text_with_its_source() -> None:
    found = {"type": "search_result", "title": "T", "source": "https://e", "content": [text("x")]}
    assert said(user(found)) == [{"role": "user", "content": "T (https://e)\nx"}]


def test_an_assistant_s_turn_keeps_its_calls_and_loses_thinking_that_another_service_signed() -> None:
    blocks = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        text("a"), text("b"),
        {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1.0}},
    ]  # fmt: skip
    turn = {"role": "assistant", "content": blocks}
    (message,) = said(turn)
    assert message == {
        "role": "assistant",
        "content": "ab",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}}],
    }
    (silent,) = said({"role": "assistant", "content": blocks[3:]})
    assert silent["content"] is None


def test_thinking_that_nobody_signed_goes_back_to_where_it_came_from() -> None:
    blocks = [
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "redacted_thinking", "data": "d"},
    ]
    (message,) = said({"role": "assistant", "content": [*blocks, text("a")]})
    assert message == {"role": "assistant", "content": "a", "reasoning_content": "t"}


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "messages[0].content[0].source"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "messages[0].content[0].source"),
        ({"type": "document", "source": {"type": "url", "url": "https://e/a.pdf"}}, "messages[0].content[0].source"),
        (result([text("a"), {"type": "image", "source": {"type": "file", "file_id": "f"}}]),
         "messages[0].content[0].content[1].source"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_rejected_by_its_name(block: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest, match="as base64") as refused:
        said(user(block))
    assert refused.value.param == param


def test_a_later_call_with_the_same_id_keeps_its_own_input() -> None:
    """Some servers number the calls of each response anew."""
    turns = []
    for at in (1, 2):
        call = {"type": "tool_use", "id": "1", "name": f"f{at}", "input": {"a": at}}
        turns += [{"role": "assistant", "content": [call]}, user(result("ok"))]
    calls = [
        one["tool_calls"][0]["function"]
        for one in said(user(text("hi")), *turns)
        if one["role"] == "assistant"
    ]
    assert calls == [{"name": "f1", "arguments": '{"a":1}'}, {"name": "f2", "arguments": '{"a":2}'}]
