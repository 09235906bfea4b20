"""Turns stay what they are, and what cannot be sent on is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.request.chat_messages import Conversation, read_conversation, text_of
from clawgate.agents.request.images import ImageRules
from clawgate.errors import InvalidRequest

USER: dict[str, Any] = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PNG = "data:image/png;base64,iVBORw0KGgo="


def read(*messages: Any) -> Conversation:
    return read_conversation(list(messages), ImageRules())


def test_turns_stay_what_they_are() -> None:
    turns = (
        USER | {"name": "anna"},
        {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning_content": "r"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "12"}]},
        {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking"}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": PNG}}],
        },
    )
    conversation = read(*turns)
    assert conversation.turns == turns and conversation.ignored == () and conversation.system == ""
    assert conversation.places == tuple(f"messages[{number}]" for number in range(5))


def test_system_and_developer_messages_are_joined() -> None:
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]
    conversation = read(
        {"role": "system", "content": "a"}, USER, {"role": "developer", "content": parts}, {"role": "system"}
    )
    assert conversation.system == "a\n\nb\nc" and conversation.places == ("messages[1]",)


def test_null_members_are_as_if_absent_and_unknown_ones_are_reported() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL], "audio": None, "function_call": None,
               "annotations": [], "x_new": 1, "a, b": 0}  # fmt: skip
    conversation = read(USER, message)
    assert conversation.turns[1] == {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert conversation.ignored == ("messages.a??b", "messages.x_new")


def test_the_list_of_ignored_members_is_bounded() -> None:
    assert len(read(USER | {f"m{number}": 1 for number in range(100)}).ignored) == 21


def test_old_function_calls_become_calls_of_tools() -> None:
    call = {"name": "f", "arguments": "{}"}
    conversation = read(
        USER,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": None},
    )
    made = {"id": "call_1", "type": "function", "function": call}
    assert conversation.turns[1:] == (
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "content": "", "tool_call_id": "call_1"},
    )
    with pytest.raises(InvalidRequest, match="names no function that was called"):
        read(USER, {"role": "function", "name": "f", "content": "x"})


def test_a_plain_text_in_the_place_of_an_image_is_its_address() -> None:
    conversation = read({"role": "user", "content": [{"type": "image_url", "image_url": PNG}]})
    assert conversation.turns[0]["content"] == [{"type": "image_url", "image_url": {"url": PNG}}]


def test_a_tool_may_have_produced_no_text() -> None:
    contents: list[object] = ["", [], None]
    for content in contents:
        assert read(USER, {"role": "tool", "tool_call_id": "c", "content": content}).turns[1]["content"] in (
            "",
            [],
        )


def test_the_images_of_each_message_are_counted_and_the_bytes_of_all() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG}}
    assert len(read(*[{"role": "user", "content": [image] * 8}] * 3).turns) == 3
    with pytest.raises(InvalidRequest, match="over 8 images"):
        read({"role": "user", "content": [image] * 9})
    large = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgoA" * 800_000}}
    with pytest.raises(InvalidRequest, match="All have over 20971520 bytes"):
        read({"role": "user", "content": [large] * 3})


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("hi", "messages[1]"),
        ({"content": "x"}, "messages[1].role"),
        ({"role": []}, "messages[1].role"),
        ({"role": "bot", "content": "x"}, "messages[1].role"),
        ({"role": "user", "content": 5}, "messages[1].content"),
        ({"role": "user", "content": {}}, "messages[1].content"),
        ({"role": "user", "content": ["x"]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[1].content[0].image_url"),
        ({"role": "user", "content": "x", "name": 5}, "messages[1].name"),
        ({"role": "assistant", "content": [{"type": "image_url", "image_url": PNG}]}, "messages[1].content[0]"),
        ({"role": "assistant", "tool_calls": {}}, "messages[1].tool_calls"),
        ({"role": "assistant", "tool_calls": ["x"]}, "messages[1].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [CALL | {"type": "custom"}]}, "messages[1].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [CALL | {"id": 7}]}, "messages[1].tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [CALL | {"function": {"arguments": ""}}]},
         "messages[1].tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]},
         "messages[1].tool_calls[0].function.arguments"),
        ({"role": "assistant", "function_call": "f"}, "messages[1].function_call"),
        ({"role": "tool", "content": "x", "tool_call_id": 5}, "messages[1].tool_call_id"),
        ({"role": "function", "content": "x"}, "messages[1].name"),
        ({"role": "system", "content": 5}, "messages[1].content"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "messages[1].content[0]"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_on_is_refused_with_its_place(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(USER, message)
    assert refused.value.param == param and param in refused.value.message


@pytest.mark.parametrize("given", [{}, {"tool_call_id": ""}, {"tool_call_id": None}])
@pytest.mark.parametrize("before", [[], [{"role": "assistant", "tool_calls": [CALL, CALL | {"id": ""}]}]])
def test_a_result_that_names_no_call_keeps_the_name_of_its_function(
    given: dict[str, Any], before: list[Any]
) -> None:
    """Of two calls with one id alone, it may be of either."""
    found = read(USER, *before, {"role": "tool", "content": "x", "name": "f", **given})
    assert found.turns[-1] == {"role": "tool", "content": "x", "tool_call_id": "", "name": "f"}
    assert found.ignored == ()
    named = read(USER, {"role": "tool", "content": "x", "name": "f", "tool_call_id": "c"})
    assert "name" not in named.turns[-1] and named.ignored == ("messages.name",)


@pytest.mark.parametrize("given", [{"id": ""}, {"id": None}, {}, {"id": "call_0"}])
def test_results_of_calls_with_one_id_are_told_apart_by_their_order(given: dict[str, Any]) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}} | given
    named = {"tool_call_id": given["id"]} if "id" in given else {}
    results = [{"role": "tool", "content": text} | named for text in ("first", "second")]
    turns = read(USER, {"role": "assistant", "tool_calls": [call, call]}, *results).turns
    ids = [one["id"] for one in turns[1]["tool_calls"]]
    assert len(set(ids)) == 2 and all(ids)
    assert [(one["tool_call_id"], one["content"]) for one in turns[2:]] == [
        (ids[0], "first"),
        (ids[1], "second"),
    ]


def test_an_id_that_a_later_message_repeats_stays_what_the_client_named() -> None:
    messages = [{"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": CALL["id"], "content": "a"}] * 2  # fmt: skip
    turns = read(USER, *messages).turns
    assert [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"] == [CALL["id"]] * 2


def test_calls_of_two_messages_without_ids_have_different_ones() -> None:
    messages = [{"role": "assistant", "tool_calls": [CALL | {"id": ""}]},
                {"role": "tool", "tool_call_id": "", "content": "a"}] * 2  # fmt: skip
    turns = read(USER, *messages).turns
    ids = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    assert len(set(ids)) == 2 and [turns[1]["tool_calls"][0]["id"], turns[3]["tool_calls"][0]["id"]] == ids


@pytest.mark.parametrize("absent", [{}, {"content": None}])
def test_a_message_of_the_assistant_always_has_content(absent: dict[str, Any]) -> None:
    spoken = read(USER, {"role": "assistant"} | absent, USER).turns[1]
    calling = read(USER, {"role": "assistant", "tool_calls": [CALL]} | absent).turns[1]
    assert spoken["content"] == "" and calling == {"role": "assistant", "content": None, "tool_calls": [CALL]}


def test_an_empty_list_of_calls_is_none() -> None:
    assert read(USER, {"role": "assistant", "content": "a", "tool_calls": []}).turns[1] == {
        "role": "assistant", "content": "a"
    }  # fmt: skip


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "s"}], [USER | {"content": " \n"}],
                                      [USER | {"content": None}], [USER | {"content": []}],
                                      [USER | {"content": [{"type": "text", "text": ""}]}]])  # fmt: skip
def test_a_conversation_in_which_no_one_speaks_is_refused(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"Missing user message in `messages`\."):
        read_conversation(messages, ImageRules())


def test_an_assistant_alone_is_a_prompt() -> None:
    assert read({"role": "assistant", "content": "x"}).turns == ({"role": "assistant", "content": "x"},)


def test_the_text_of_a_message_is_that_of_its_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert text_of({"content": parts}) == "a\nb"
    assert text_of({"content": None}) == text_of({}) == ""
