"""Changes the turns of a Messages request so that their server accepts them, see `messages_compat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clawgate.wire.json import strict
from clawgate.wire.translate.chat_messages_compat import (
    PROCESSED,
    call_in_words,
    joined_texts,
    result_heading,
    thinking_as_text,
)
from clawgate.wire.translate.compat import Compat

Block = dict[str, Any]


def adapt_turns(turns: list[Any], compat: Compat) -> list[Any]:
    """Return the turns as the server accepts them."""
    if compat.requires_thinking_as_text or compat.supports_tools is False:
        names: dict[object, object] = {}  # of tools, by the ids of their calls
        turns = [_with_content(turn, list(_words(turn, compat, names))) for turn in turns]
        turns = [turn for turn in turns if not (isinstance(turn, dict) and turn.get("content") == [])]
    if compat.requires_assistant_after_tool_result:
        turns = list(_with_assistant(turns))
    if compat.requires_string_content:
        turns = [_with_strings(turn) for turn in turns]
    return turns


def _blocks(turn: Any) -> list[Any]:
    content = turn.get("content") if isinstance(turn, dict) else None
    return content if isinstance(content, list) else []


def _with_content(turn: Any, blocks: list[Any]) -> Any:
    return {**turn, "content": blocks} if _blocks(turn) else turn


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _words(turn: Any, compat: Compat, names: dict[object, object]) -> Iterator[Any]:
    """Yield the blocks of a turn, with words in place of those that the server does not take."""
    for block in _blocks(turn):
        kind = block.get("type") if isinstance(block, dict) else None
        if compat.requires_thinking_as_text and kind in ("thinking", "redacted_thinking"):
            if block.get("thinking"):
                yield _text(thinking_as_text(block["thinking"]))
        elif compat.supports_tools is False and kind == "tool_use":
            names[block.get("id")] = block.get("name")
            arguments = strict.encode_request(block.get("input") or {}).decode()
            yield _text(call_in_words(block.get("name"), arguments))
        elif compat.supports_tools is False and kind == "tool_result":
            yield _text(result_heading(names.get(block.get("tool_use_id"))))
            content = block.get("content")
            yield from content if isinstance(content, list) else [_text(content)] if content else []
        else:
            yield block


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _with_assistant(turns: list[Any]) -> Iterator[Any]:
    """Yield the turns with a word of the assistant between the results of tools and what the user says."""
    after_results = False
    for turn in turns:
        blocks = _blocks(turn)
        results = [block for block in blocks if _is_result(block)]
        others = [block for block in blocks if not _is_result(block)]
        if results:
            yield {**turn, "content": results}
        if others or not results:
            if results or (after_results and isinstance(turn, dict) and turn.get("role") == "user"):
                yield {"role": "assistant", "content": PROCESSED}
            yield _with_content(turn, others)
        after_results = bool(results) and not others


def _with_strings(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    blocks = [
        {**block, "content": joined_texts(block["content"])}
        if _is_result(block) and "content" in block
        else block
        for block in _blocks(turn)
    ]
    turn = _with_content(turn, blocks)
    return {**turn, "content": joined_texts(turn["content"])} if "content" in turn else turn
