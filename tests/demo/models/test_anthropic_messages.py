"""What the model says in Anthropic's shapes is a function of the request alone, and a stream adds up to the whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.models.anthropic_messages import (
    LOOKS_UP,
    blocks_of,
    events,
    input_tokens,
    message,
    reply_to_messages,
    signature_of,
)
from demo.models.openai_chat import reply_text, split

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": "weather", "input_schema": SCHEMA}, {"name": "clock", "input_schema": {"type": "object"}}]
PARALLEL = {"messages": [{"role": "user", "content": "tools in parallel"}], "tools": TOOLS}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}


def request(**more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi there"}], **more}


def said(**more: Any) -> list[dict[str, Any]]:
    return list(reply_to_messages(request(**more)).blocks)


@pytest.mark.parametrize(
    "more",
    [{}, PARALLEL, THINKING, {**THINKING, **PARALLEL}, {"max_tokens": 3}, {"stop_sequences": ["Das"]},
     {**THINKING, "messages": [{"role": "user", "content": "redacted"}]}],
)  # fmt: skip
def test_a_stream_adds_up_to_the_whole(more: dict[str, Any]) -> None:
    """Blocks in order, each opened once and closed once, with the same content, reason and usage."""
    body = request(**more)
    whole = message(body, reply_to_messages(body))
    blocks: list[dict[str, Any]] = []
    open_block = -1
    ends: dict[str, Any] = {}
    kinds = []
    for event in events(body, reply_to_messages(body)):
        kinds.append(event["type"])
        match event["type"]:
            case "message_start":
                started = event["message"]
                assert started["content"] == [] and started["stop_reason"] is None
            case "content_block_start":
                assert open_block == -1 and event["index"] == len(blocks)
                open_block = event["index"]
                blocks.append({**event["content_block"], "json": ""})
            case "content_block_delta":
                assert event["index"] == open_block
                for name in ("text", "thinking", "signature"):
                    if name in event["delta"]:
                        blocks[-1][name] += event["delta"][name]
                blocks[-1]["json"] += event["delta"].get("partial_json", "")
            case "content_block_stop":
                given = blocks[-1].pop("json")
                if blocks[-1]["type"] == "tool_use":
                    blocks[-1]["input"] = json.loads(given)
                open_block = -1
            case "message_delta":
                assert event["usage"] == whole["usage"]
                ends = event["delta"]
    assert blocks == whole["content"]
    assert ends == {"stop_reason": whole["stop_reason"], "stop_sequence": whole["stop_sequence"]}
    assert (kinds[0], kinds[-2:], kinds.count("ping")) == (
        "message_start",
        ["message_delta", "message_stop"],
        1,
    )


def test_the_same_request_has_the_same_answer() -> None:
    again = dict(reversed(request().items()))
    assert reply_to_messages(request()) == reply_to_messages(again)
    assert reply_to_messages(request()).key != reply_to_messages(request(top_k=1)).key


@pytest.mark.parametrize(
    ("more", "called"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, []),
        ({"messages": [{"role": "user", "content": "use a tool"}]}, ["weather"]),
        ({"messages": [{"role": "user", "content": "what says the clock"}]}, ["weather"]),
        ({"tool_choice": {"type": "any"}}, ["weather"]),
        ({"tool_choice": {"type": "tool", "name": "clock"}}, ["clock"]),
        ({"tool_choice": {"type": "none"}, **PARALLEL}, []),
        (PARALLEL, ["weather", "clock"]),
        ({**PARALLEL, "tools": TOOLS[:1]}, ["weather", "weather"]),
        ({**PARALLEL, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, ["weather"]),
    ],
)  # fmt: skip
def test_which_tools_are_called(more: dict[str, Any], called: list[str]) -> None:
    """Those that are asked for; what nobody forced begins with a text."""
    blocks = said(**{"tools": TOOLS, **more})
    assert [block["name"] for block in blocks if block["type"] == "tool_use"] == called
    assert len({block["id"] for block in blocks if "id" in block}) == len(called)
    forced = more.get("tool_choice", {}).get("type") in ("any", "tool")
    assert (blocks[0].get("text") == LOOKS_UP) == (bool(called) and not forced)


def test_results_and_images_are_acknowledged() -> None:
    """After results no tool is called again."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODk="}}
    far = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": "12 C"},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "content": [{"type": "text", "text": "no"}, image],
            "is_error": True,
        },
    ]
    turns = [{"role": "user", "content": "tools in parallel"}, {"role": "user", "content": results}]
    [block] = said(messages=turns, tools=TOOLS)
    assert block["text"].endswith(" The tools said: 12 C | error no image/gif of 5 bytes.")
    [block] = said(messages=[{"role": "user", "content": [image, {"type": "text", "text": "hi"}, far]}])
    assert block["text"] == f"{reply_text('hi')} I saw image/gif of 5 bytes, an image at https://x/y.png."


def test_thoughts_are_signed() -> None:
    thought, text = said(**THINKING)
    assert thought["signature"] == signature_of(thought["thinking"])
    assert signature_of("a") != signature_of("b")
    assert text["text"] == reply_text("hi there")
    assert [block["type"] for block in said(thinking={"type": "disabled"})] == ["text"]


def test_limits_and_stops() -> None:
    """The earlier one counts, and a stop sequence behind the limit was never said."""
    text = reply_text("hi there")
    for more, ended in (
        ({"max_tokens": 2}, ("".join(split(text)[:2]), "max_tokens", None)),
        ({"stop_sequences": ["ïve", "Das"]}, (text[: text.index("Das")], "stop_sequence", "Das")),
        ({"stop_sequences": ["nowhere"]}, (text, "end_turn", None)),
        ({"stop_sequences": ["done"], "max_tokens": 2}, ("".join(split(text)[:2]), "max_tokens", None)),
    ):
        spoken = reply_to_messages(request(**more))
        assert (spoken.blocks[0]["text"], spoken.stop_reason, spoken.stop_sequence) == ended


def test_usage_adds_up() -> None:
    """What a cache has read and written is counted beside the rest."""
    mark = {"cache_control": {"type": "ephemeral"}}
    body = request(
        system=[{"type": "text", "text": "one two three", **mark}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "four five", **mark}]},
                  {"role": "user", "content": "six"}],
    )  # fmt: skip
    usage = reply_to_messages(body).usage
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert [usage[name] for name in parts] == [1, 2, 3]
    assert input_tokens(body) == 6
    assert usage["output_tokens"] == len(split(reply_text("six")))
    assert reply_to_messages(request(**THINKING)).usage["output_tokens_details"]["thinking_tokens"] > 0


@pytest.mark.parametrize("content", [None, 7, [1, None], []])
def test_what_is_no_content_has_no_blocks(content: object) -> None:
    assert blocks_of(content) == []
