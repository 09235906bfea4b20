"""Renders the turns of a session for people: who, when, the text; tool calls in short, images by their size. Pure.

What a model or a client wrote must not steer the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clawgate.policy.printable import escape_controls, escape_steering
from clawgate.state.records import StoredTurn

_MOST = 200
"""Characters of the arguments of a tool call."""


def lines_of(turn: StoredTurn, time_text: Callable[[float], str]) -> Iterator[str]:
    """Yield the lines of a turn: its head, and its content below."""
    message = turn.message
    role = escape_controls(str(message.get("role", "?")))
    call = message.get("tool_call_id")
    about = f" {escape_controls(str(call))}" if call else ""
    state = "" if turn.status == "complete" else f" ({turn.status})"
    state += "" if turn.replaced_by is None else " (replaced)"
    yield f"[{time_text(turn.created_at)}] {role}{about}{state}"
    for text in (*_texts(message.get("content")), *_texts(message.get("refusal"))):
        yield from (f"  {line}".rstrip() for line in escape_steering(text).split("\n"))
    calls = message.get("tool_calls")
    for one in calls if isinstance(calls, list) else ():
        yield f"  -> {_call(one)}"


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str) and content:
        yield content
    for part in content if isinstance(content, list) else ():
        yield _part(part) if isinstance(part, dict) else str(part)


def _part(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return str(part.get(kind, ""))
    if kind == "image_url":
        image = part.get("image_url")
        return f"[image {_address(str(image.get('url', '')) if isinstance(image, dict) else str(image))}]"
    return f"[{kind}]"


def _address(url: str) -> str:
    """Return the size of an image in a data URL, or the address of one elsewhere."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:")):
        return url
    size = len(data) * 3 // 4
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"


def _call(call: object) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        return "?"
    arguments = str(function.get("arguments", ""))
    short = arguments if len(arguments) <= _MOST else f"{arguments[:_MOST]}..."
    return escape_controls(f"{function.get('name')} {short} ({call.get('id')})")
