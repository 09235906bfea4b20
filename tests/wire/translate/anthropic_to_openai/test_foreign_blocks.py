"""A conversation with blocks that only Anthropic knows can continue: their words stay, what nobody can read goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic.types import AssistantMessage, Text, ToolResult, UserMessage
from clawgate.wire.translate.anthropic_to_openai.foreign_blocks import as_text, read_request


def read(*turns: dict[str, Any], **more: Any) -> Any:
    return read_request(json.dumps({"max_tokens": 1, "messages": list(turns), **more}).encode())


def texts(role: str, *blocks: dict[str, Any]) -> list[str]:
    (turn,) = read({"role": role, "content": list(blocks)}).messages
    assert isinstance(turn, UserMessage | AssistantMessage) and isinstance(turn.content, list)
    return [block.text for block in turn.content if isinstance(block, Text)]


SEARCH = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [
        {
            "type": "web_search_result",
            "title": "T",
            "url": "https://e",
            "encrypted_content": "SECRET",
            "page_age": None,
        }
    ],
}


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "tool_reference", "tool_name": "f"}, "The tool 'f' is available."),
        (
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            '[web_search was called with {"query":"q"}]',
        ),
        (
            {"type": "mcp_tool_use", "id": "m1", "name": "get", "server_name": "wiki", "input": {}},
            "[wiki.get was called with {}]",
        ),
        (SEARCH, "[web search result]\nT\nhttps://e"),
        (
            {
                "type": "web_search_tool_result",
                "content": {"type": "web_search_tool_result_error", "error_code": "max"},
            },
            "[web search result]\nerror_code: max",
        ),
        (
            {"type": "mcp_tool_result", "tool_use_id": "m1", "content": [{"type": "text", "text": "r"}]},
            "[mcp result]\nr",
        ),
        (
            {
                "type": "web_fetch_tool_result",
                "content": {
                    "type": "web_fetch_result",
                    "url": "https://e",
                    "content": {
                        "type": "document",
                        "title": "D",
                        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    },
                },
            },
            "[web fetch result]\nhttps://e\nD\nwords",
        ),
        (
            {
                "type": "code_execution_tool_result",
                "content": {
                    "type": "code_execution_result",
                    "stdout": "1\n",
                    "stderr": "",
                    "return_code": 0,
                    "content": [],
                },
            },
            "[code execution result]\n1\n\nreturn_code: 0",
        ),
        (
            {
                "type": "tool_search_tool_result",
                "content": {
                    "type": "tool_search_tool_search_result",
                    "tool_references": [{"type": "tool_reference", "tool_name": "f"}],
                },
            },
            "[tool search result]\nf",
        ),
        (
            {"type": "compaction", "content": "so far", "signature": "s"},
            "[Summary of the conversation so far]\nso far",
        ),
        ({"type": "compaction", "content": None}, ""),
        ({"type": "fallback", "from": {}, "to": {}}, ""),
        (
            {"type": "container_upload", "file_id": "f"},
            "[A file was uploaded to a container, which this model cannot read.]",
        ),
        (
            {"type": "of_next_year", "payload": {"x": 1}},
            "[of next year: left out, since this model cannot read it]",
        ),
        ({"type": "of_next_year", "content": "words"}, "[of next year]\nwords"),
    ],
)
def test_a_foreign_block_is_text_or_nothing(block: dict[str, Any], text: str) -> None:
    assert as_text(block) == text
    for role, apart in (("user", ""), ("assistant", "\n\n")):
        assert texts(role, {"type": "text", "text": "a"}, block) == ["a", *([apart + text] if text else [])]


def test_a_result_of_a_tool_may_contain_them() -> None:
    found = {
        "type": "tool_result",
        "tool_use_id": "1",
        "content": [{"type": "tool_reference", "tool_name": "f"}],
    }
    (turn,) = read({"role": "user", "content": [found]}).messages
    assert turn.content == [ToolResult("1", [Text("The tool 'f' is available.")])]


def test_a_system_prompt_may_contain_them() -> None:
    assert read({"role": "user", "content": "x"}, system=[{"type": "new", "text": "a"}]).system == [
        Text("[new]\na")
    ]


@pytest.mark.parametrize("content", [None, "a"])
def test_content_may_be_missing(content: str | None) -> None:
    (turn,) = read({"role": "assistant", "content": content}).messages
    assert turn.content == content
    assert read({"role": "assistant"}).messages[0].content is None


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "text", "text": 5}, SEARCH]},
        {"role": "robot", "content": "x"},
        {"role": "user", "content": [{"text": "no type"}]},
    ],
)
def test_what_is_malformed_stays_an_error(turn: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read(turn)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages": 5, "max_tokens": 1}', b'{"messages": [5], "max_tokens": 1}']
)
def test_a_body_that_is_no_request_is_an_error(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_request(body)


def test_an_emoji_that_was_cut_in_two_does_not_matter() -> None:
    body = b'{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"new","text":"\\ud83e"}]}]}'
    assert read_request(body).messages[0].content == [Text("[new]\n\ufffd")]


def test_a_block_as_text_stands_apart_from_the_text_beside_it() -> None:
    """The texts of an assistant become one: without a blank line a URL would run into the next word."""
    used = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://e.example"}]}
    said = {"type": "text", "text": "So it is."}
    assert "".join(texts("assistant", said, used, found, said, said)) == (
        "So it is.\n\n[web_search was called with {}]\n\n[web search result]\nhttps://e.example"
        "\n\nSo it is.So it is."
    )
