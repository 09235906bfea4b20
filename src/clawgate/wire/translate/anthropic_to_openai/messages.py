"""Translates the system prompt and turns of a Messages request into messages of a chat request.

Tool results come first in their turn, each as a message of its own, then the user's other content. A tool message
contains text only, so images and files of a result go into the user's message behind it. There is no field for a failed
result: its text begins with "Error:". Thinking without a signature came from a chat server, and returns as
`reasoning_content`. What one service signed or encrypted means nothing to another and may be rejected by it: it is
dropped, unless the upstream is known to keep thinking for a Claude behind it; then it is sent unchanged in
`thinking_blocks`. `cache_control` is dropped: chat services cache by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from clawgate.errors import InvalidRequest
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import strict
from clawgate.wire.translate import data_url
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames

Part = dict[str, object]
Message = dict[str, object]
Shown = messages.Text | messages.Image | messages.Document | messages.SearchResult


def chat_messages(
    system: str | Sequence[messages.Text] | None,
    turns: Sequence[messages.Message],
    *,
    names: ToolNames,
    keeps_thinking: bool = False,
) -> list[Message]:
    """Return the messages; raises `InvalidRequest` with the path of what cannot be translated."""
    translated: list[Message] = []
    if prompt := _plain(system or ""):
        translated.append({"role": "system", "content": prompt})
    for number, turn in enumerate(turns):
        path = f"messages[{number}].content"
        match turn:
            case messages.UserMessage():
                translated += _user(turn.content, path)
            case messages.AssistantMessage():
                translated.append(_assistant(turn.content, names, keeps_thinking=keeps_thinking))
            case messages.SystemMessage():
                translated.append({"role": "system", "content": _plain(turn.content)})
    return translated


def _plain(content: str | Iterable[messages.Text]) -> str:
    return content if isinstance(content, str) else "\n\n".join(block.text for block in content)


def _user(content: str | Sequence[messages.UserBlock], path: str) -> list[Message]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[Message] = []
    parts: list[Part] = []
    for number, block in enumerate(content):
        block_path = f"{path}[{number}]"
        if isinstance(block, messages.ToolResult):
            text, attached = _result(block, block_path)
            results.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": text})
            parts += attached
        else:
            parts += _parts([block], path, first=number)
    if parts or not results:
        results.append({"role": "user", "content": _content(parts)})
    return results


def _content(parts: list[Part]) -> str | list[Part]:
    """Return a single text as a string, which every server accepts."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts or ""


def _result(block: messages.ToolResult, path: str) -> tuple[str, list[Part]]:
    """Return the text of a tool message, and the parts that go into the user's message behind it."""
    content = block.content or ""
    if isinstance(content, str):
        text, attached = content, []
    else:
        parts = _parts(content, f"{path}.content")
        text = "\n\n".join(str(part["text"]) for part in parts if part["type"] == "text")
        attached = [part for part in parts if part["type"] != "text"]
    if attached and not text:
        text = "The result is attached to the next message."
    if block.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}" if text else "Error"
    return text, attached


def _parts(blocks: Iterable[Shown], path: str, *, first: int = 0) -> list[Part]:
    parts: list[Part] = []
    for number, block in enumerate(blocks, first):
        match block:
            case messages.Text():
                parts.append({"type": "text", "text": block.text})
            case messages.Image():
                parts.append(_image(block.source, f"{path}[{number}].source"))
            case messages.Document():
                parts += _document(block, f"{path}[{number}].source")
            case messages.SearchResult():
                text = "\n".join([f"{block.title} ({block.source})", *(text.text for text in block.content)])
                parts.append({"type": "text", "text": text})
    return parts


def _image(source: messages.Base64Source | messages.UrlSource | messages.FileSource, path: str) -> Part:
    if isinstance(source, messages.FileSource):
        _reject_file(path)
    return {"type": "image_url", "image_url": {"url": _url(source)}}


def _url(source: messages.Base64Source | messages.UrlSource) -> str:
    if isinstance(source, messages.UrlSource):
        return source.url
    return data_url.build(source.media_type, source.data)


def _document(block: messages.Document, path: str) -> list[Part]:
    source = block.source
    if isinstance(source, messages.FileSource):
        _reject_file(path)
    if isinstance(source, messages.UrlSource):
        _reject(path, "is a document's URL, which a chat request cannot contain; send it as base64")
    if isinstance(source, messages.Base64Source):
        file = {"filename": block.title or "document.pdf", "file_data": _url(source)}
        return [{"type": "file", "file": file}]
    if isinstance(source, messages.TextSource):
        return [{"type": "text", "text": _titled(block, source.data)}]
    if isinstance(source.content, str):
        return [{"type": "text", "text": _titled(block, source.content)}]
    return _parts(source.content, f"{path}.content")


def _titled(block: messages.Document, text: str) -> str:
    return "\n".join(line for line in (block.title, block.context, text) if line)


def _reject_file(path: str) -> NoReturn:
    _reject(path, "is an uploaded file, which only the service that stores it can read; send it as base64")


def _reject(path: str, problem: str) -> NoReturn:
    raise InvalidRequest(f"'{path}' {problem}", param=path)


def _assistant(
    content: str | Sequence[messages.AssistantBlock], names: ToolNames, *, keeps_thinking: bool
) -> Message:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    text: list[str] = []
    reasoning: list[str] = []
    signed: list[Part] = []
    calls: list[Part] = []
    for block in content:
        match block:
            case messages.Text():
                text.append(block.text)
            case messages.Thinking():
                if keeps_thinking or not block.signature:
                    reasoning.append(block.thinking)
                if keeps_thinking and block.signature:
                    signed.append(
                        {"type": "thinking", "thinking": block.thinking, "signature": block.signature}
                    )
            case messages.RedactedThinking() if keeps_thinking:
                signed.append({"type": "redacted_thinking", "data": block.data})
            case messages.ToolUse():
                arguments = strict.encode_request(block.input).decode()
                call = {"name": names.shorten(block.name), "arguments": arguments}
                calls.append({"id": block.id, "type": "function", "function": call})
    translated: Message = {"role": "assistant", "content": "".join(text) if text or not calls else None}
    if unsigned := "".join(reasoning):
        translated["reasoning_content"] = unsigned
    if signed:
        translated["thinking_blocks"] = signed
    if calls:
        translated["tool_calls"] = calls
    return translated
