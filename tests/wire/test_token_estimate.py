"""An estimate depends on the request alone, and never shrinks as the request grows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.token_estimate import estimate_tokens

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "description": "what it is"}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 90_000}}


def tokens(*messages: Any, **fields: Any) -> int:
    return estimate_tokens(json.dumps({"model": "m", "messages": list(messages), **fields}).encode())


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_a_text_counts_about_as_much_as_its_words() -> None:
    words = "The quick brown fox jumps over the lazy dog. " * 100  # 1,000 words and stops: about 1,000 tokens
    assert 900 < tokens(user(text(words))) < 1400
    assert tokens(user(text("\u4f60\u597d" * 500))) > 800  # a token or so for each character
    assert 1 <= tokens(user(text("hi"))) < 20


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ({"system": "x" * 3500}, 1000, 1010),
        ({"system": [text("x" * 3500)]}, 1000, 1020),
        ({"tools": [{"name": "f", "description": "x" * 3500, "input_schema": SCHEMA}]}, 1010, 1080),
        ({"messages": [user(text("hi"), IMAGE)]}, 1600, 1630),
        ({"messages": [user(text("hi"), {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]})]}, 1600, 1660),
        ({"messages": [user(text("hi"), {"type": "document", "source": {
            "type": "base64", "media_type": "application/pdf", "data": "A" * 70_000}})]}, 2000, 2030),
        ({"messages": [user(text("hi"), {"type": "document", "title": "t", "source": {
            "type": "text", "media_type": "text/plain", "data": "x" * 3500}})]}, 1000, 1050),
        ({"messages": [user(text("hi")), {"role": "assistant", "content": [
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": "x" * 3500, "n": 5}}]}]}, 1000, 1050),
        ({"messages": [user(text("hi")), {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "x" * 9000},
            {"type": "redacted_thinking", "data": "x" * 9000}]}]}, 10, 60),
        ({"max_tokens": 5, "temperature": 1, "metadata": {"user_id": "x" * 99}}, 0, 0),
    ],
)  # fmt: skip
def test_what_a_model_is_shown_counts(more: dict[str, Any], least: int, most: int) -> None:
    alone = tokens(user(text("hi")))
    body = {"messages": [user(text("hi"))], **more}
    assert least <= estimate_tokens(json.dumps(body).encode()) - alone <= most


def response_tokens(given: Any, **fields: Any) -> int:
    body = json.dumps({"model": "m", "input": given, **fields}).encode()
    return estimate_tokens(body, Dialect.RESPONSES)


PNG = "data:image/png;base64," + "A" * 90_000


@pytest.mark.parametrize(
    ("given", "fields", "least", "most"),
    [
        ("x" * 3500, {}, 999, 1000),
        ("", {"instructions": "x" * 3500}, 1000, 1000),
        ("", {"tools": [{"type": "function", "name": "f", "description": "x" * 3500}]}, 1010, 1030),
        ("", {"text": {"format": {"type": "json_schema", "name": "x" * 3500, "schema": SCHEMA}}}, 1010, 1080),
        ([user({"type": "input_image", "image_url": PNG})], {}, 1600, 1630),
        ([user({"type": "input_image", "file_id": "file-x"})], {}, 1600, 1630),
        ([user({"type": "input_file", "filename": "a", "file_data": "A" * 70_000})], {}, 2000, 2030),
        ([{"type": "function_call_output", "call_id": "c", "output": "x" * 3500}], {}, 1000, 1030),
        ([{"type": "function_call_output", "call_id": "c", "output": [
            {"type": "input_image", "image_url": PNG}]}], {}, 1600, 1660),
        ([{"type": "computer_call_output", "call_id": "c", "output": {
            "type": "computer_screenshot", "image_url": PNG}}], {}, 1600, 1660),
        ([{"type": "image_generation_call", "id": "i", "result": "A" * 90_000}], {}, 1600, 1630),
        ([{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" * 9000}], {}, 1, 30),
        ("", {"metadata": {"a": "x" * 500}, "max_output_tokens": 5, "user": "x" * 99}, 1, 1),
    ],
)  # fmt: skip
def test_a_request_of_the_responses_api_counts_alike(
    given: Any, fields: dict[str, Any], least: int, most: int
) -> None:
    assert least <= response_tokens(given, **fields) <= most


@pytest.mark.parametrize(
    ("given", "fields", "param"),
    [
        ("x", {"previous_response_id": "resp_1"}, "previous_response_id"),
        ("x", {"conversation": {"id": "conv_1"}}, "conversation"),
        (None, {"prompt": {"id": "pmpt_1"}}, "prompt"),
        ([{"type": "item_reference", "id": "msg_1"}], {}, "input"),
        (5, {}, "input"),
        (None, {"messages": []}, "messages"),
    ],
)
def test_what_is_not_in_the_request_is_not_taken_for_nothing(
    given: Any, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        response_tokens(given, **fields)
    assert caught.value.param == param


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(before=st.lists(values, max_size=3), more=values, system=st.text(), tools=st.lists(values, max_size=2))
def test_more_is_never_less(before: list[Any], more: Any, system: str, tools: list[Any]) -> None:
    small = tokens(*before)
    assert small == tokens(*before)
    assert small <= tokens(*before, more) <= tokens(*before, more, system=system, tools=tools)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":{}}', b'{"messages":null}'])
def test_what_is_no_request_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        estimate_tokens(body)


def test_what_is_nested_deeply_is_counted_or_rejected() -> None:
    deep = b'{"messages":[' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"]}"
    assert estimate_tokens(deep) > 1
    with pytest.raises(InvalidRequest):
        estimate_tokens(deep.replace(b"1", b"[" * 5000 + b"]" * 5000))


def test_half_an_emoji_counts() -> None:
    assert estimate_tokens(rb'{"messages":["\ud83e"]}') == 1
