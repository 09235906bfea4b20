"""What a client of the Messages API said arrives as chat messages, or is refused by its field's name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic.types import MESSAGES_REQUEST
from clawgate.wire.translate.anthropic_to_openai.messages import chat_messages
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames


def said(*messages: dict[str, Any], system: Any = None, keeps_thinking: bool = False) -> list[dict[str, Any]]:
    request = {"max_tokens": 1, "system": system, "messages": messages}
    asked = MESSAGES_REQUEST.decode(json.dumps(request))
    return chat_messages(asked.system, asked.messages, names=ToolNames(), keeps_thinking=keeps_thinking)


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


def test_a_system_message_in_between_stays_where_it_is() -> None:
    roles = [
        message["role"]
        for message in said(user(text("a")), {"role": "system", "content": "b"}, user(text("c")))
    ]
    assert roles == ["user", "system", "user"]


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


def test_an_assistant_s_turn_keeps_its_calls_and_its_thinking() -> None:
    blocks = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        text("a"), text("b"),
        {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1.0}},
    ]  # fmt: skip
    turn = {"role": "assistant", "content": blocks}
    (message,) = said(turn, keeps_thinking=True)
    assert message == {
        "role": "assistant",
        "content": "ab",
        "reasoning_content": "t",
        "thinking_blocks": blocks[:1],
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}}],
    }
    (forgetful,) = said(turn)
    assert forgetful == {
        key: message[key] for key in message if key not in ("reasoning_content", "thinking_blocks")
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


def test_thinking_that_is_not_shown_goes_back_by_its_signature_alone() -> None:
    entry = {"type": "thinking", "thinking": "", "signature": "s"}
    (message,) = said({"role": "assistant", "content": [entry, text("a")]}, keeps_thinking=True)
    assert message == {"role": "assistant", "content": "a", "thinking_blocks": [entry]}


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
