"""The built-in model's responses in Anthropic's Messages API, complete and as events.

Pure, like `openai_chat`, which decides on the words: the same request gives the same bytes. It takes a request that
`anthropic_validation` let through. Shapes: the Messages API reference and the types of Anthropic's SDK.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from demo.models.openai_chat import Body, example, reply_text, requests_tools, split

Block = dict[str, Any]

LOOKS_UP = "I will look that up."
"""The text in front of a tool call that `tool_choice` did not force."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One response: content blocks, stop reason and token counts."""

    key: str
    blocks: tuple[Block, ...]
    stop_reason: str
    stop_sequence: str | None
    usage: dict[str, Any]


def signature_of(thought: str) -> str:
    """The signature under a thought; only this one is taken back."""
    return base64.b64encode(hashlib.sha256(b"signed by the model: " + thought.encode()).digest()).decode()


def sealed(thought: str) -> str:
    """The `data` of a redacted thought."""
    return base64.b64encode(hashlib.sha256(b"sealed by the model: " + thought.encode()).digest()).decode()


def blocks_of(content: object) -> list[Block]:
    """The content of a message or of a tool's result in blocks."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def input_tokens(body: Body) -> int:
    """Words of everything that is sent to the model; an image counts ten."""
    return (
        sum(_weight(block) for block in _all_blocks(body))
        + len(json.dumps(body.get("tools") or ()).split())
        - 1
    )


def reply_to_messages(body: Body) -> Spoken:
    """Return the response to a request; the prompt is the text of the last user message that has any."""
    said, results = _said(body), _results(body)
    blocks: list[Block] = []
    thought = f"They say {said!r}. What does that mean?"
    if _thinks(body) and not results:
        if "redacted" in said:
            blocks.append({"type": "redacted_thinking", "data": sealed(thought)})
        else:
            blocks.append({"type": "thinking", "thinking": thought, "signature": signature_of(thought)})
    calls = [] if results else _calls(body, said)
    if calls:
        forced = body["tool_choice"]["type"] in ("any", "tool") if body.get("tool_choice") else False
        blocks += [] if forced else [{"type": "text", "text": LOOKS_UP}]
        return _counted(body, [*blocks, *calls], "tool_use")
    text = reply_text(said)
    if images := _images(body):
        text += f" I saw {', '.join(images)}."
    if results:
        text += f" The tools said: {' | '.join(results)}."
    text, reason, stop = _stopped(text, body)
    return _counted(body, [*blocks, {"type": "text", "text": text}], reason, stop)


def message(body: Body, spoken: Spoken) -> dict[str, Any]:
    """Return a response that is not streamed."""
    return {
        "id": f"msg_{spoken.key}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": list(spoken.blocks),
        "stop_reason": spoken.stop_reason,
        "stop_sequence": spoken.stop_sequence,
        "usage": spoken.usage,
    }


def events(body: Body, spoken: Spoken) -> Iterator[dict[str, Any]]:
    """Return the events of a streamed response: a delta a word, thoughts with their signature, inputs in pieces."""
    begun = {**message(body, spoken), "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**begun, "usage": {**spoken.usage, "output_tokens": 1}}}
    for index, block in enumerate(spoken.blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    why = {"stop_reason": spoken.stop_reason, "stop_sequence": spoken.stop_sequence}
    yield {"type": "message_delta", "delta": why, "usage": spoken.usage}
    yield {"type": "message_stop"}


def _opened(block: Block) -> Block:
    match block["type"]:
        case "text":
            return {**block, "text": ""}
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "tool_use":
            return {**block, "input": {}}
    return block


def _deltas(block: Block) -> Iterator[Block]:
    match block["type"]:
        case "text":
            for word in split(block["text"]):
                yield {"type": "text_delta", "text": word}
        case "thinking":
            for word in split(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": word}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            given = json.dumps(block["input"], ensure_ascii=False)
            for piece in ("", given[:5], given[5:]):
                yield {"type": "input_json_delta", "partial_json": piece}


def _counted(body: Body, blocks: list[Block], reason: str, stop: str | None = None) -> Spoken:
    """Counts in words. What is marked with `cache_control` in `system` was read from a cache, elsewhere written."""
    sent = input_tokens(body)
    system = blocks_of(body.get("system"))
    read = sum(_weight(block) for block in system if block.get("cache_control"))
    marked = sum(_weight(block) for block in _all_blocks(body) if block.get("cache_control"))
    thought = sum(len(split(str(block.get("thinking", "")))) for block in blocks)
    output = thought + sum(len(split(str(block.get("text") or block.get("input") or ""))) for block in blocks)
    usage = {
        "input_tokens": sent - marked,
        "cache_creation_input_tokens": marked - read,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": marked - read, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
    }
    return Spoken(_key(body), tuple(blocks), reason, stop, usage)


def _stopped(text: str, body: Body) -> tuple[str, str, str | None]:
    """The text up to the first stop sequence or the last word that is allowed, why, and which sequence."""
    found = [(text.index(stop), stop) for stop in body.get("stop_sequences") or () if stop in text]
    words = split(text)
    allowed = "".join(words[: body["max_tokens"]])
    if found and (first := min(found))[0] <= len(allowed):
        return text[: first[0]], "stop_sequence", first[1]
    return (text, "end_turn", None) if allowed == text else (allowed, "max_tokens", None)


def _calls(body: Body, said: str) -> list[Block]:
    """The tools that are called: the one that is named, otherwise the first; all, if the prompt says so and it
    is allowed."""
    tools: list[Block] = body.get("tools") or []
    choice: Block = body.get("tool_choice") or {"type": "auto"}
    if not tools or choice["type"] == "none":
        return []
    if choice["type"] == "auto" and not requests_tools(said, [tool["name"] for tool in tools]):
        return []
    called = [tool for tool in tools if tool["name"] == choice.get("name")] or tools[:1]
    if choice["type"] != "tool" and "parallel" in said and not choice.get("disable_parallel_tool_use"):
        called = tools if len(tools) > 1 else tools * 2
    key = _key(body)
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{key}{number:02}",
            "name": tool["name"],
            "input": example(tool.get("input_schema")),
        }
        for number, tool in enumerate(called)
    ]


def _said(body: Body) -> str:
    for turn in reversed(body["messages"]):
        texts = [block["text"] for block in blocks_of(turn["content"]) if block["type"] == "text"]
        if turn["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def _results(body: Body) -> list[str]:
    """Return the tool results of the last message."""
    found = []
    for block in blocks_of(body["messages"][-1]["content"]):
        if block["type"] == "tool_result":
            inner = blocks_of(block.get("content"))
            text = " ".join(
                _image(part) if part["type"] == "image" else str(part.get("text")) for part in inner
            )
            found.append(f"error {text}" if block.get("is_error") else text)
    return found


def _images(body: Body) -> list[str]:
    return [_image(block) for block in blocks_of(body["messages"][-1]["content"]) if block["type"] == "image"]


def _image(block: Block) -> str:
    source = block["source"]
    if source["type"] != "base64":
        return f"an image at {source.get('url') or source.get('file_id')}"
    return f"{source['media_type']} of {len(base64.b64decode(source['data']))} bytes"


def _thinks(body: Body) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, dict) and thinking["type"] in ("enabled", "adaptive")


def _all_blocks(body: Body) -> list[Block]:
    return blocks_of(body.get("system")) + [
        b for turn in body["messages"] for b in blocks_of(turn["content"])
    ]


def _weight(block: Block) -> int:
    match block["type"]:
        case "image" | "document":
            return 10
        case "tool_result":
            return sum(map(_weight, blocks_of(block.get("content"))))
    return len(split(str(block.get("text") or block.get("thinking") or block.get("input") or "")))


def _key(body: Body) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:22]
