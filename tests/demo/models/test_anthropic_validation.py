"""Whatever Anthropic's reference forbids is refused with the field's path, and what it allows is not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from demo.models.anthropic_errors import MessagesError
from demo.models.anthropic_messages import sealed, signature_of
from demo.models.anthropic_validation import check

TOOL = {"name": "f", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": signature_of("hm")}
ON = {"type": "enabled", "budget_tokens": 1024}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def model(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def image(**source: Any) -> dict[str, Any]:
    data = base64.b64encode(b"png").decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data, **source}}


def request(**more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}], **more}


ALLOWED: dict[str, dict[str, Any]] = {
    "plain": {},
    "all limits": {"temperature": 1, "top_p": 0.5, "top_k": 3, "stop_sequences": ["x"], "stream": True},
    "who and how": {"metadata": {"user_id": "u"}, "service_tier": "standard_only"},
    "system blocks": {"system": [{**text("x"), "cache_control": {"type": "ephemeral"}}]},
    "two of one side": {"messages": [user(text("a")), user(text("b"))]},
    "a system message": {"messages": [user(text("a")), {"role": "system", "content": "b"}]},
    "a prefill": {"messages": [user(text("a")), model(text("So"))]},
    "an image": {"messages": [user(image(), image(type="url", url="https://x"))]},
    "tools": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
    "no tool": {"tools": [TOOL], "tool_choice": {"type": "none"}},
    "there and back": {"messages": [user(text("a")), model(USE), user(RESULT)]},
    "thoughts": {"thinking": ON, "messages": [user(text("a")), model(THOUGHT, USE), user(RESULT)]},
    "sealed thoughts": {
        "messages": [user(text("a")), model({"type": "redacted_thinking", "data": sealed("x")})]
    },
    "own pace": {"thinking": {"type": "adaptive"}},
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"n": 1}, "n: Extra inputs"),
    "no limit": ({"max_tokens": None}, "max_tokens: Field required"),
    "a limit of 0": ({"max_tokens": 0}, "max_tokens"),
    "a limit in words": ({"max_tokens": "9"}, "max_tokens"),
    "too hot": ({"temperature": 1.5}, "temperature"),
    "a truth for a number": ({"top_p": True}, "top_p"),
    "a stream of 1": ({"stream": 1}, "stream"),
    "a blank stop": ({"stop_sequences": [" "]}, "stop_sequences.0"),
    "stops that are no list": ({"stop_sequences": "x"}, "stop_sequences"),
    "metadata of others": ({"metadata": {"team": "x"}}, "metadata"),
    "a tier of others": ({"service_tier": "flex"}, "service_tier"),
    "no messages": ({"messages": []}, "at least one message"),
    "messages that are none": ({"messages": "hi"}, "valid list"),
    "a foreign role": ({"messages": [{"role": "tool", "content": "x"}]}, 'Unexpected role "tool"'),
    "a name": ({"messages": [{"role": "user", "content": "x", "name": "u"}]}, "messages.0.name"),
    "no content": ({"messages": [{"role": "user"}]}, "messages.0.content"),
    "empty content": ({"messages": [user()]}, "non-empty content"),
    "an empty text": ({"messages": [user(text(""))]}, "must be non-empty"),
    "a blank text": ({"messages": [user(text(" \n"))]}, "non-whitespace"),
    "a blank at the end": ({"messages": [user(text("a")), model(text("b "))]}, "trailing whitespace"),
    "a part of OpenAI's": ({"messages": [user({"type": "image_url"})]}, "image_url"),
    "a picture by the model": ({"messages": [user(text("a")), model(image())]}, "image"),
    "a bitmap": ({"messages": [user(image(media_type="image/bmp"))]}, "media_type"),
    "no base64": ({"messages": [user(image(data="***"))]}, "invalid base64"),
    "an empty image": ({"messages": [user(image(data=""))]}, "cannot be empty"),
    "a result of nothing": ({"messages": [user(RESULT)]}, "unexpected `tool_use_id`"),
    "a call without result": ({"messages": [user(text("a")), model(USE), user(text("b"))]}, "without `tool_result`"),
    "a call at the end": ({"messages": [user(text("a")), model(USE)]}, "without `tool_result`"),
    "one result twice": ({"messages": [user(text("a")), model(USE), user(RESULT, RESULT)]}, "single result"),
    "one call twice": ({"messages": [user(text("a")), model(USE, USE), user(RESULT)]}, "must be unique"),
    "an odd id": ({"messages": [user(text("a")), model({**USE, "id": "a:b"}), user(RESULT)]}, "tool_use.id"),
    "input as text": ({"messages": [user(text("a")), model({**USE, "input": "{}"}), user(RESULT)]}, "tool_use.input"),
    "a forged thought": ({"messages": [user(text("a")), model({**THOUGHT, "thinking": "ha"})]}, "Invalid `signature`"),
    "a forged seal": ({"messages": [user(text("a")), model({"type": "redacted_thinking", "data": "x"})]}, "`data`"),
    "a tool of OpenAI's": ({"tools": [{"type": "function", "function": {}}]}, "tools.0"),
    "a tool without schema": ({"tools": [{"name": "f"}]}, "input_schema"),
    "a tool with an odd name": ({"tools": [{**TOOL, "name": "f g"}]}, "name"),
    "a tool with more": ({"tools": [{**TOOL, "parameters": {}}]}, "parameters"),
    "a tool twice": ({"tools": [TOOL, TOOL]}, "unique"),
    "a choice in a word": ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    "a choice of nothing": ({"tool_choice": {"type": "auto"}}, "while providing tools"),
    "an unknown choice": ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "'g' not found"),
    "a choice with more": ({"tools": [TOOL], "tool_choice": {"type": "auto", "name": "f"}}, "tool_choice.auto.name"),
    "a small budget": ({"thinking": {"type": "enabled", "budget_tokens": 99}}, "budget_tokens"),
    "all of the budget": ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than"),
    "thinking and heat": ({"thinking": ON, "temperature": 0.5}, "temperature"),
    "thinking and force": ({"thinking": ON, "tools": [TOOL], "tool_choice": {"type": "any"}}, "forces tool use"),
    "thinking by another name": ({"thinking": {"type": "on"}}, "thinking"),
    "a turn without its thought": (
        {"thinking": ON, "messages": [user(text("a")), model(USE), user(RESULT)]}, "Expected `thinking`",
    ),
    "a system of numbers": ({"system": 7}, "system"),
    "a system with a picture": ({"system": [image()]}, "system.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(ALLOWED))
def test_allowed(case: str) -> None:
    check(request(**ALLOWED[case]))


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused(case: str) -> None:
    """With 400 and the place in the message."""
    more, said = REFUSED[case]
    with pytest.raises(MessagesError) as caught:
        check(request(**more))
    assert caught.value.status == 400
    assert said in caught.value.message


def test_counting_needs_no_limit() -> None:
    body = request()
    del body["max_tokens"]
    check(body, counts_only=True)
    with pytest.raises(MessagesError):
        check(body)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_later_version_knows_no_sampling(name: str) -> None:
    """Not even at the default value."""
    check(request(**{name: 1}))
    with pytest.raises(MessagesError, match="Extra inputs"):
        check(request(**{name: 1}), sampling=False)
