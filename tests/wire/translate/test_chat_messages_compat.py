"""Messages reach a server in the form that it accepts, and nothing that was said is lost."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.chat_messages_compat import PROCESSED, adapt_messages
from clawgate.wire.translate.compat import Compat

USER = {"role": "user", "content": "x"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "r"}


def test_an_assistant_comes_between_results_and_the_user() -> None:
    compat = Compat(requires_assistant_after_tool_result=True)
    words = {"role": "assistant", "content": PROCESSED}
    called = {**CALLED, "content": ""}
    assert adapt_messages([USER, CALLED, RESULT, USER], compat) == [USER, called, RESULT, words, USER]
    answered = [USER, called, RESULT, {"role": "assistant", "content": "a"}, USER]
    assert adapt_messages(answered, compat) == answered


def test_a_result_has_the_name_of_its_tool() -> None:
    compat = Compat(requires_tool_result_name=True)
    assert adapt_messages([CALLED, RESULT], compat) == [CALLED, {**RESULT, "name": "f"}]
    named = {**RESULT, "name": "own"}
    unknown = {**RESULT, "tool_call_id": "2"}
    assert adapt_messages([CALLED, named, unknown], compat) == [CALLED, named, unknown]


@pytest.mark.parametrize("is_supported", [True, None, False])
def test_a_developer_is_the_system_where_the_role_is_unknown(is_supported: bool | None) -> None:
    (message,) = adapt_messages(
        [{"role": "developer", "content": "d"}], Compat(supports_developer_role=is_supported)
    )
    assert message["role"] == ("system" if is_supported is False else "developer")


@pytest.mark.parametrize(
    ("content", "flat"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([], ""), (["a", {"text": "b"}], "a\nb"), ("a", "a"), (None, None),
        ([{"type": "image_url"}], [{"type": "image_url"}]), ([{"type": "text"}], [{"type": "text"}]),
    ],
)  # fmt: skip
def test_texts_are_one_string_where_lists_are_unknown(content: Any, flat: Any) -> None:
    (message,) = adapt_messages([{"role": "user", "content": content}], Compat(requires_string_content=True))
    assert message["content"] == flat


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_text_where_no_field_is_known(name: str) -> None:
    compat = Compat(requires_thinking_as_text=True)
    thought = "<thinking>\nt\n</thinking>"
    for content, made in (
        ("a", f"{thought}\n\na"),
        (None, thought),
        ([], [{"type": "text", "text": thought}]),
    ):
        (message,) = adapt_messages([{"role": "assistant", "content": content, name: "t"}], compat)
        assert message == {"role": "assistant", "content": made}


def test_reasoning_is_there_where_it_must_be() -> None:
    compat = Compat(requires_reasoning_content_on_assistant_messages=True)
    plain = {"role": "assistant", "content": "a"}
    assert adapt_messages([plain, USER], compat) == [{**plain, "reasoning_content": ""}, USER]
    kept = {**plain, "reasoning_content": "t"}
    assert adapt_messages([kept], compat) == [kept]


def test_calls_are_words_where_no_keys_but_role_and_content_are_known() -> None:
    spoken = {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}],
        "tool_calls": [CALL],
        "name": "n",
    }
    stray = {"role": "tool", "tool_call_id": "9", "content": "s"}
    made = adapt_messages(
        [{**USER, "name": "n"}, CALLED, RESULT, spoken, stray], Compat(strict_message_keys=True)
    )
    words = '[f was called with {"a":1}]'
    assert made == [
        USER,
        {"role": "assistant", "content": words},
        {"role": "user", "content": "[Result of f]\n\nr"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": words}]},
        {"role": "user", "content": "[Result of the tool]\n\ns"},
    ]


def test_calls_of_before_are_words_for_a_model_without_tools() -> None:
    made = adapt_messages([CALLED, RESULT], Compat(supports_tools=False))
    assert [message["role"] for message in made] == ["assistant", "user"]


def test_what_is_no_message_is_left_to_the_server() -> None:
    odd: list[Any] = [
        5,
        {"role": "assistant", "tool_calls": 5},
        {"role": "assistant", "tool_calls": [5, {"id": 5}]},
    ]
    everything = Compat(
        strict_message_keys=True, requires_string_content=True, requires_assistant_after_tool_result=True
    )
    assert adapt_messages(odd, everything)[0] == 5
    assert adapt_messages(odd, Compat(requires_tool_result_name=True)) == odd


def test_the_clients_messages_are_not_changed() -> None:
    given = [{"role": "developer", "content": "d"}]
    adapt_messages(given, Compat(supports_developer_role=False))
    assert given[0]["role"] == "developer"
