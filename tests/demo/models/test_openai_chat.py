"""What the model says is a function of the request alone, in OpenAI's shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.models import openai_chat as chat_shapes
from demo.models.openai_chat import reply_text, reply_to_chat, reply_to_prompt, split, text_of

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}


def tool(name: str, parameters: object = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_ids_follow_from_the_request_and_from_nothing_else() -> None:
    """The order of keys does not count; any other request has another id."""
    again = dict(reversed(ASK.items()))
    assert reply_to_chat(ASK) == reply_to_chat(again)
    assert reply_to_chat(ASK).key != reply_to_chat({**ASK, "temperature": 1}).key


@pytest.mark.parametrize("said", ["", " ", "\t\n", "a", " a  b\n", "你 好", "a" * 1000])
def test_words_joined_are_the_text(said: str) -> None:
    assert "".join(split(said)) == said
    assert "".join(split(reply_text(said))) == reply_text(said)


@pytest.mark.parametrize("build", ["chunks", "old_chunks"])
@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_adds_up_to_the_whole(build: str, usage: bool) -> None:
    """Same id, same text, the finish reason once, and usage only where it was asked for."""
    body = {**ASK, "prompt": "hello there", "stream_options": {"include_usage": usage}}
    old = build == "old_chunks"
    reply = reply_to_prompt(body) if old else reply_to_chat(body)
    whole = (chat_shapes.old_completion if old else chat_shapes.completion)(body, reply)
    parts = list(getattr(chat_shapes, build)(body, reply))
    assert {part["id"] for part in parts} == {whole["id"]}
    choices = [part["choices"][0] for part in parts if part["choices"]]
    said = [choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices]
    assert "".join(said) == reply.text
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert [part["usage"] for part in parts if "usage" in part] == ([whole["usage"]] if usage else [])


@pytest.mark.parametrize(
    ("limit", "words", "finish"), [(1, 1, "length"), (0, None, "stop"), (10_000, None, "stop"), ("3", None, "stop")]
)  # fmt: skip
def test_a_limit_cuts_words_only_where_it_is_one(limit: object, words: int | None, finish: str) -> None:
    whole = reply_to_chat(ASK)
    reply = reply_to_chat({**ASK, "max_tokens": limit})
    assert (len(reply.words), reply.finish) == (words or len(whole.words), finish)


@pytest.mark.parametrize(
    ("choice", "called"),
    [("auto", "one"), (None, "one"), ("none", ""), (tool("two"), "two"), (tool("three"), "one"), (7, "one")],
)
def test_the_function_that_is_called(choice: object, called: str) -> None:
    """The named one if it is there, otherwise the first; after its result, none."""
    body = {**ASK, "tools": [{"type": "web_search"}, tool("one"), tool("two")], "tool_choice": choice}
    assert reply_to_chat(body).tool == called
    done = {**body, "messages": [*ASK["messages"], {"role": "tool", "content": "12 C"}]}
    assert reply_to_chat(done).tool == ""


@pytest.mark.parametrize(
    ("said", "more", "called"),
    [
        ("hi", {}, []),
        ("use a tool", {}, ["one"]),
        ("what does two say", {}, ["two"]),
        ("hi", {"tool_choice": "required"}, ["one"]),
        ("hi", {"tool_choice": tool("two")}, ["two"]),
        ("hi", {"tool_choice": "auto"}, []),
        ("tools in parallel", {}, ["one", "two"]),
        ("tools in parallel", {"tools": [tool("one")]}, ["one", "one"]),
        ("tools in parallel", {"parallel_tool_calls": False}, ["one"]),
        ("tools in parallel", {"tool_choice": tool("two")}, ["two"]),
    ],
)
def test_a_model_that_is_not_eager_calls_what_is_asked_for(
    said: str, more: dict[str, object], called: list[str]
) -> None:
    """Each call with an id of its own, in a stream too."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": said}],
        "tools": [tool("one"), tool("two")],
        **more,
    }
    reply = reply_to_chat(body, eager=False)
    assert [name for name, _ in reply.calls] == called
    whole = chat_shapes.completion(body, reply)["choices"][0]["message"].get("tool_calls", [])
    assert [call["function"]["name"] for call in whole] == called
    assert len({call["id"] for call in whole}) == len(called)
    deltas = [part["choices"][0]["delta"] for part in chat_shapes.chunks(body, reply)]
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls", [])]
    assert [piece["id"] for piece in pieces if "id" in piece] == [call["id"] for call in whole]
    assert {piece["index"] for piece in pieces} == set(range(len(called)))


@pytest.mark.parametrize("stop", ["Das", ["nowhere", "ïve", "Das"], ["Das", 7, ""]])
def test_a_stop_sequence_ends_the_text_before_it(stop: object) -> None:
    whole = reply_text("hello there")
    reply = reply_to_chat({**ASK, "stop": stop})
    assert (reply.text, reply.finish) == (whole[: whole.index("Das")], "stop")


def test_arguments_fit_their_schema() -> None:
    """Every required property, nested ones too, and nothing else."""
    inner = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    schema = {
        "properties": {
            "s": {"type": "string"}, "b": {"type": "boolean"}, "l": {"type": "array"}, "o": inner,
            "e": {"enum": ["x", "y"]}, "z": {"type": "null"}, "more": {"type": "string"},
        },
        "required": ["s", "b", "l", "o", "e", "z", "unknown"],
    }  # fmt: skip
    reply = reply_to_chat({**ASK, "tools": [tool("f", schema)]})
    assert json.loads(reply.arguments) == {
        "s": "Zürich", "b": True, "l": [], "o": {"n": 1}, "e": "x", "z": None, "unknown": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a", "a"), (None, ""), (7, ""), ([], ""), ([{"text": "a"}, {"image_url": {}}, {"text": 1}, "b"], "a 1"),
    ],
)  # fmt: skip
def test_only_text_parts_are_text(content: object, text: str) -> None:
    assert text_of(content) == text


def test_of_several_prompts_the_last_counts() -> None:
    assert reply_to_prompt({"model": "m", "prompt": ["a", "b"]}).text == reply_text("b")
