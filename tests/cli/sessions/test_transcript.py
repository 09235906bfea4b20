"""Each kind of message is readable, and nothing in it steers the terminal."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from clawgate.cli.sessions.transcript import lines_of
from clawgate.state.records import StoredTurn


def lines(message: dict[str, Any], **changes: Any) -> list[str]:
    values: dict[str, Any] = {
        "seq": 0,
        "message": message,
        "status": "complete",
        "run": "r",
        "created_at": 5.0,
    }
    return list(lines_of(StoredTurn(**values | changes), lambda at: f"{at:g}"))


def image(data: bytes) -> dict[str, Any]:
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"},
    }


def test_a_text_of_several_lines() -> None:
    assert lines({"role": "user", "content": "one\r\n\n  two"}) == ["[5] user", "  one", "", "    two"]


def test_an_interrupted_turn_is_marked() -> None:
    assert (
        lines({"role": "assistant", "content": "hal"}, status="interrupted")[0]
        == "[5] assistant (interrupted)"
    )


def test_a_replaced_turn_is_marked() -> None:
    shown = lines({"role": "user", "content": "x"}, status="interrupted", replaced_by=4)
    assert shown[0] == "[5] user (interrupted) (replaced)"


def test_images_are_shown_by_their_size() -> None:
    text = {"type": "text", "text": "what is it?"}
    found = lines({"role": "user", "content": [text, image(b"x" * 123_000), image(b"x" * 9)]})
    assert found[1:] == ["  what is it?", "  [image 123 kB]", "  [image 9 bytes]"]
    elsewhere = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    assert lines({"role": "user", "content": [elsewhere]})[1:] == ["  [image https://x.test/a.png]"]


def test_tool_calls_are_short_and_results_name_their_call() -> None:
    function = {"name": "get_weather", "arguments": '{"city": "' + "x" * 300 + '"}'}
    call = {"id": "c1", "type": "function", "function": function}
    (_, found) = lines({"role": "assistant", "content": "", "tool_calls": [call]})
    assert found.startswith('  -> get_weather {"city": "xxx') and found.endswith("x... (c1)")
    assert lines({"role": "tool", "tool_call_id": "c1", "content": "12C"}) == ["[5] tool c1", "  12C"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user\x1b[2J", "content": "\x1b]0;x\x07\u202e"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "\x1b"}}, {"type": "\x9b"}]},
        {"role": "assistant", "refusal": "\x1b", "tool_calls": [{"id": "\x1b", "function": {"name": "\n"}}]},
        {"role": "tool", "tool_call_id": "\x1b\n", "content": "\ud800"},
        {"role": 5, "content": 5, "tool_calls": [5, {"function": 5}]},
        {"role": "user", "content": [5, {}, {"type": "text"}, {"type": "image_url", "image_url": 5}]},
    ],
)  # fmt: skip
def test_whatever_is_stored_is_shown_without_steering_the_terminal(message: dict[str, Any]) -> None:
    assert all(line.isprintable() for line in lines(message))
