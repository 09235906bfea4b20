"""Translates the messages of a chat request into Anthropic's form: one system prompt, and turns that alternate.

System and developer messages become the system prompt, wherever they are. Adjacent messages of one role become one
turn, so that the results of parallel tool calls arrive together and in front of the user's other content, as Anthropic
requires. Text of nothing but white space is dropped, and so is white space at the end of a text that the model has to
continue, since Anthropic rejects both. Signed thinking returns to the front of its turn; without a signature
it cannot. `cache_control` on parts is kept. Arguments that are not a JSON object
(a call that was cut off, a small model's mistake) are kept under `strict.RAW`, so that the conversation can continue.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import data_url
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.media_type import sniffed_type
from clawgate.wire.translate.openai_to_anthropic.call_ids import CallIds
from clawgate.wire.translate.openai_to_anthropic.thinking import kept_thinking

ContentBlock = dict[str, object]
Turn = dict[str, object]

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""What Anthropic accepts as base64 images."""


def system_and_turns(
    messages: Sequence[chat.Message], provider: str = ""
) -> tuple[list[ContentBlock], list[Turn]]:
    """Return the blocks of the system prompt, and the turns for ``provider``.

    Raises `InvalidRequest` with the path of what cannot be translated.
    """
    system: list[ContentBlock] = []
    turns: list[Turn] = []
    ids = CallIds()
    side, blocks, results = "", list[ContentBlock](), 0
    for number, message in enumerate(messages):
        path = f"messages[{number}]"
        if isinstance(message, chat.SystemMessage):
            system += _parts(message.content, f"{path}.content")
            continue
        if isinstance(message, chat.AssistantMessage):
            role, content = "assistant", _assistant(message, path, ids, provider)
        elif isinstance(message, chat.ToolMessage):
            role, content = "user", [_result(message, f"{path}.content", ids)]
        else:
            role, content = "user", _parts(message.content, f"{path}.content")
        if not content:
            continue
        if role != side:
            side, blocks, results = role, [], 0
            turns.append({"role": side, "content": blocks})
        if isinstance(message, chat.ToolMessage):
            blocks[results:results] = content
            results += 1
        else:
            blocks += content
    if side == "assistant" and blocks[-1]["type"] == "text":
        blocks[-1]["text"] = str(blocks[-1]["text"]).rstrip()
    if not turns:
        raise InvalidRequest("'messages' has no content for a model; add a user message", param="messages")
    return system, turns


def ignored_members(messages: Sequence[chat.Message]) -> list[str]:
    """Return the names of members of messages that have no counterpart."""
    found: set[str] = set()
    for message in messages:
        if not isinstance(message, chat.ToolMessage) and message.name:
            found.add("messages.name")
        for part in message.content if isinstance(message.content, list) else ():
            if isinstance(part, chat.ImagePart) and part.image_url.detail not in (None, "auto"):
                found.add("image_url.detail")
            if getattr(part, "prompt_cache_breakpoint", None) is not None:
                found.add("prompt_cache_breakpoint")
    return sorted(found)


def lacks_thinking(turns: Sequence[Turn]) -> bool:
    """Whether the model has to continue its own text, or a tool's result whose call has no thinking in front of it.

    Anthropic rejects thinking then: with a budget, an unfinished turn has to begin with a thinking block, and a text to
    continue cannot have one. Decided from the ``turns``, because several of the client's messages can be one turn.
    """
    if turns[-1]["role"] == "assistant":
        return True
    if not any(block["type"] == "tool_result" for block in _blocks(turns[-1])):
        return False
    return len(turns) < 2 or _blocks(turns[-2])[0]["type"] not in ("thinking", "redacted_thinking")


def _blocks(turn: Turn) -> list[ContentBlock]:
    blocks = turn["content"]
    assert isinstance(blocks, list) and blocks, "turns are made of blocks here, and never empty"
    return blocks


def _assistant(message: chat.AssistantMessage, path: str, ids: CallIds, provider: str) -> list[ContentBlock]:
    if message.function_call is not None:
        reject(f"{path}.function_call", "is the old form of a tool call; send 'tool_calls'")
    if message.audio is not None:
        reject(f"{path}.audio", "is a response that only the service which spoke it has; send its text")
    content = kept_thinking(message, provider)
    content += _parts(message.content or "", f"{path}.content")
    if message.refusal and message.refusal.strip():
        content.append({"type": "text", "text": message.refusal})
    if message.tool_calls:
        ids.begin_message()
    for number, call in enumerate(message.tool_calls or ()):
        part_path = f"{path}.tool_calls[{number}]"
        if call.type != "function" or call.function is None:
            reject(part_path, "is not a function call, the only kind that Anthropic's API knows")
        content.append(
            {
                "type": "tool_use",
                "id": ids.of_call(call.id or ""),
                "name": call.function.name,
                "input": strict.arguments_or_raw(call.function.arguments),
            }
        )
    return content


def _result(message: chat.ToolMessage, path: str, ids: CallIds) -> ContentBlock:
    result: ContentBlock = {"type": "tool_result", "tool_use_id": ids.of_result(message.tool_call_id or "")}
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
    """Return the blocks for a message's content."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[ContentBlock] = []
    for number, part in enumerate(content):
        part_path = f"{path}[{number}]"
        block: ContentBlock
        match part:
            case chat.TextPart():
                block = {"type": "text", "text": part.text}
            case chat.RefusalPart():
                block = {"type": "text", "text": part.refusal}
            case chat.ImagePart():
                block = _image(part.image_url.url, f"{part_path}.image_url.url")
            case chat.FilePart():
                block = _document(part.file, f"{part_path}.file")
            case _:
                reject(
                    f"{part_path}.type", "is 'input_audio', which Anthropic models do not accept; send text"
                )
        if block["type"] == "text" and not str(block["text"]).strip():
            continue
        if not isinstance(part, chat.RefusalPart) and part.cache_control is not None:
            block["cache_control"] = part.cache_control
        blocks.append(block)
    return blocks


def _image(url: str, path: str) -> ContentBlock:
    if url[:8].lower() == "https://" or url[:7].lower() == "http://":
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _typed_data(url)
    if media_type is None:
        reject(path, "must be an http(s) URL or a data: URL with base64")
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    if media_type not in IMAGE_TYPES:
        reject(
            path, f"contains {media_type or 'no type'}, which is not one of {', '.join(sorted(IMAGE_TYPES))}"
        )
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _document(file: chat.FileData, path: str) -> ContentBlock:
    if file.file_data is None:
        reject(path, "is an uploaded file, which only the service that stores it can read; send 'file_data'")
    media_type, data = _typed_data(file.file_data)
    source: ContentBlock
    if media_type in IMAGE_TYPES:
        return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
    if media_type == "application/pdf":
        source = {"type": "base64", "media_type": media_type, "data": data}
    elif media_type is not None and (media_type.startswith("text/") or media_type == "application/json"):
        source = {"type": "text", "media_type": "text/plain", "data": _plain(data, f"{path}.file_data")}
    else:
        reject(f"{path}.file_data", "must be a data: URL with base64 of a PDF, a text or an image")
    block: ContentBlock = {"type": "document", "source": source}
    if file.filename:
        block["title"] = file.filename
    return block


def _typed_data(url: str) -> tuple[str | None, str]:
    """Return the media type, by the bytes and otherwise by the label, and the data; no type for another kind of URL.

    Anthropic rejects an image whose label is not what its bytes are.
    """
    parsed = data_url.parse(url)
    if parsed is None:
        return None, ""
    label, data = parsed
    return sniffed_type(data) or label, data


def _plain(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        reject(path, "must contain UTF-8 text in base64")
