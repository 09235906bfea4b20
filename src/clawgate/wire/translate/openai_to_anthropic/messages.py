"""What do the messages of a chat completion say in Anthropic's words: one system prompt and turns that alternate?

System and developer messages become the system prompt, wherever they stand. Adjacent messages of one side become one
turn, so that the results of parallel tool calls arrive together and in front of what else the user said, as Anthropic
asks. Text of nothing but white space is left out, and so is white space at the end of words that the model is to go
on from, since Anthropic refuses both. Signed thinking in `thinking_blocks` goes back in front of its turn;
`reasoning_content` without a signature cannot. `cache_control` on parts is kept. Arguments that are not a JSON object
(a call that was cut off, a small model's mistake) stand under `strict.RAW`, so that the conversation can go on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import data_url

ContentBlock = dict[str, object]
Turn = dict[str, object]

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""What Anthropic takes as base64 images."""

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_OF_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_ID_KEPT = 40


def system_and_turns(messages: Sequence[chat.Message]) -> tuple[list[ContentBlock], list[Turn]]:
    """The blocks of the system prompt and the turns; raises `InvalidRequest` with the path of what cannot be said."""
    system: list[ContentBlock] = []
    turns: list[Turn] = []
    side, blocks, results = "", list[ContentBlock](), 0
    for number, message in enumerate(messages):
        path = f"messages[{number}]"
        if isinstance(message, chat.SystemMessage | chat.DeveloperMessage):
            system += _parts(message.content, f"{path}.content")
            continue
        if isinstance(message, chat.AssistantMessage):
            speaker, said = "assistant", _assistant(message, path)
        elif isinstance(message, chat.ToolMessage):
            speaker, said = "user", [_result(message, f"{path}.content")]
        else:
            speaker, said = "user", _parts(message.content, f"{path}.content")
        if not said:
            continue
        if speaker != side:
            side, blocks, results = speaker, [], 0
            turns.append({"role": side, "content": blocks})
        if isinstance(message, chat.ToolMessage):
            blocks[results:results] = said
            results += 1
        else:
            blocks += said
    if side == "assistant" and blocks[-1]["type"] == "text":
        blocks[-1]["text"] = str(blocks[-1]["text"]).rstrip()
    if not turns:
        raise InvalidRequest(
            "'messages' holds nothing that a model could answer: add a user message", param="messages"
        )
    return system, turns


def lacks_thinking(turns: Sequence[Turn]) -> bool:
    """Whether the model is to go on from words of its own, or from a tool's result whose call no thinking led to.

    Anthropic refuses to think then: with a budget, a turn that is under way has to begin with a thinking block, and
    words to go on from cannot have one. Told by the ``turns`` and not by the client's messages, for several of those
    can be one turn.
    """
    if turns[-1]["role"] == "assistant":
        return True
    if not any(block["type"] == "tool_result" for block in _blocks(turns[-1])):
        return False
    return len(turns) < 2 or _blocks(turns[-2])[0]["type"] not in ("thinking", "redacted_thinking")


def tool_id(given: str) -> str:
    """A call's id as Anthropic takes it, of letters, digits, ``_`` and ``-``; the same for a call and its result.

    Other servers' ids hold more (`functions.f:0`). A digest keeps apart what the same letters are left of.
    """
    if _ID.fullmatch(given):
        return given
    digest = hashlib.sha256(given.encode()).hexdigest()[:12]
    return f"{_NOT_OF_AN_ID.sub('_', given)[:_ID_KEPT]}_{digest}"


def _blocks(turn: Turn) -> list[ContentBlock]:
    blocks = turn["content"]
    assert isinstance(blocks, list) and blocks, "turns are made of blocks here, and never empty"
    return blocks


def _assistant(message: chat.AssistantMessage, path: str) -> list[ContentBlock]:
    if message.function_call is not None:
        _refuse(f"{path}.function_call", "is the old form of a tool call: send 'tool_calls'")
    said = _thinking(message)
    said += _parts(message.content or "", f"{path}.content")
    if message.refusal and message.refusal.strip():
        said.append({"type": "text", "text": message.refusal})
    for number, call in enumerate(message.tool_calls or ()):
        place = f"{path}.tool_calls[{number}]"
        if call.type != "function" or call.function is None:
            _refuse(place, "is not a function call, the only kind that an Anthropic model can be shown")
        said.append(
            {
                "type": "tool_use",
                "id": tool_id(call.id),
                "name": call.function.name,
                "input": strict.arguments_or_raw(call.function.arguments),
            }
        )
    return said


def _thinking(message: chat.AssistantMessage) -> list[ContentBlock]:
    """The thinking that can be given back: what Anthropic signed or sealed."""
    given: list[ContentBlock] = []
    for entry in message.thinking_blocks or ():
        if entry.type == "thinking" and entry.signature:
            given.append({"type": "thinking", "thinking": entry.thinking or "", "signature": entry.signature})
        elif entry.type == "redacted_thinking" and entry.data:
            given.append({"type": "redacted_thinking", "data": entry.data})
    return given


def _result(message: chat.ToolMessage, path: str) -> ContentBlock:
    result: ContentBlock = {"type": "tool_result", "tool_use_id": tool_id(message.tool_call_id)}
    if content := _parts(message.content or "", path):
        result["content"] = content
    if message.is_error:
        result["is_error"] = True
    return result


def _parts(
    content: str
    | Iterable[chat.TextPart | chat.ImagePart | chat.FilePart | chat.AudioPart | chat.RefusalPart],
    path: str,
) -> list[ContentBlock]:
    """The blocks for a message's content."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[ContentBlock] = []
    for number, part in enumerate(content):
        place = f"{path}[{number}]"
        block: ContentBlock
        match part:
            case chat.TextPart():
                block = {"type": "text", "text": part.text}
            case chat.RefusalPart():
                block = {"type": "text", "text": part.refusal}
            case chat.ImagePart():
                block = _image(part.image_url.url, f"{place}.image_url.url")
            case chat.FilePart():
                block = _document(part.file, f"{place}.file")
            case _:
                _refuse(f"{place}.type", "is 'input_audio', which Anthropic models cannot be sent: send text")
        if block["type"] == "text" and not str(block["text"]).strip():
            continue
        if not isinstance(part, chat.RefusalPart) and part.cache_control is not None:
            block["cache_control"] = part.cache_control
        blocks.append(block)
    return blocks


def _image(url: str, path: str) -> ContentBlock:
    if url[:8].lower() == "https://" or url[:7].lower() == "http://":
        return {"type": "image", "source": {"type": "url", "url": url}}
    found = data_url.parse(url)
    if found is None:
        _refuse(path, "has to be an http(s) URL or a data: URL with base64")
    media_type, data = found
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    if media_type not in IMAGE_TYPES:
        _refuse(path, f"has to hold one of {', '.join(sorted(IMAGE_TYPES))}")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _document(file: chat.FileData, path: str) -> ContentBlock:
    if file.file_data is None:
        _refuse(
            path, "names an uploaded file, which only the service that stores it can read: send 'file_data'"
        )
    found = data_url.parse(file.file_data)
    source: ContentBlock
    match found:
        case ("application/pdf", data):
            source = {"type": "base64", "media_type": "application/pdf", "data": data}
        case ("text/plain", data):
            source = {"type": "text", "media_type": "text/plain", "data": _plain(data, f"{path}.file_data")}
        case _:
            _refuse(f"{path}.file_data", "has to be a data: URL with base64 of application/pdf or text/plain")
    block: ContentBlock = {"type": "document", "source": source}
    if file.filename:
        block["title"] = file.filename
    return block


def _plain(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        _refuse(path, "has to hold UTF-8 text in base64")


def _refuse(path: str, why: str) -> NoReturn:
    raise InvalidRequest(f"'{path}' {why}", param=path)
