"""What do a system prompt and turns of Anthropic's Messages API say as messages of a chat completion?

Results of tools stand first in their turn, each a message of its own; what else the user said follows. A tool
message holds text only, so images and files of a result go into the user's message behind it. A failed result
has no field for that: its text begins with "Error:". Thinking without a signature came from such a server, and goes
back as `reasoning_content`. What one service signed or sealed means nothing to another and may be refused by it: it is
left out, unless the upstream is known to keep thinking for a Claude behind it; then it is carried as it is in
`thinking_blocks`. `cache_control` is left out: chat services cache by themselves.
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
    """The messages; raises `InvalidRequest` with the path of what cannot be said."""
    said: list[Message] = []
    if prompt := _plain(system or ""):
        said.append({"role": "system", "content": prompt})
    for number, turn in enumerate(turns):
        path = f"messages[{number}].content"
        match turn:
            case messages.UserMessage():
                said += _user(turn.content, path)
            case messages.AssistantMessage():
                said.append(_assistant(turn.content, names, keeps_thinking=keeps_thinking))
            case messages.SystemMessage():
                said.append({"role": "system", "content": _plain(turn.content)})
    return said


def _plain(content: str | Iterable[messages.Text]) -> str:
    return content if isinstance(content, str) else "\n\n".join(block.text for block in content)


def _user(content: str | Sequence[messages.UserBlock], path: str) -> list[Message]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[Message] = []
    parts: list[Part] = []
    for number, block in enumerate(content):
        place = f"{path}[{number}]"
        if isinstance(block, messages.ToolResult):
            text, shown = _result(block, place)
            results.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": text})
            parts += shown
        else:
            parts += _parts([block], path, first=number)
    if parts or not results:
        results.append({"role": "user", "content": _content(parts)})
    return results


def _content(parts: list[Part]) -> str | list[Part]:
    """A string where one says it all: every server takes that."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts or ""


def _result(block: messages.ToolResult, path: str) -> tuple[str, list[Part]]:
    """The text of a tool message, and what has to be shown in the user's message behind it."""
    content = block.content or ""
    if isinstance(content, str):
        text, shown = content, []
    else:
        parts = _parts(content, f"{path}.content")
        text = "\n\n".join(str(part["text"]) for part in parts if part["type"] == "text")
        shown = [part for part in parts if part["type"] != "text"]
    if shown and not text:
        text = "The result is attached to the next message."
    if block.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}" if text else "Error"
    return text, shown


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
                found = "\n".join([f"{block.title} ({block.source})", *(text.text for text in block.content)])
                parts.append({"type": "text", "text": found})
    return parts


def _image(source: messages.Base64Source | messages.UrlSource | messages.FileSource, path: str) -> Part:
    if isinstance(source, messages.FileSource):
        _refuse_file(path)
    return {"type": "image_url", "image_url": {"url": _url(source)}}


def _url(source: messages.Base64Source | messages.UrlSource) -> str:
    if isinstance(source, messages.UrlSource):
        return source.url
    return data_url.build(source.media_type, source.data)


def _document(block: messages.Document, path: str) -> list[Part]:
    source = block.source
    if isinstance(source, messages.FileSource):
        _refuse_file(path)
    if isinstance(source, messages.UrlSource):
        _refuse(path, "is a document's URL, which a chat completion cannot hold: send it as base64")
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


def _refuse_file(path: str) -> NoReturn:
    _refuse(path, "names an uploaded file, which only the service that stores it can read: send it as base64")


def _refuse(path: str, why: str) -> NoReturn:
    raise InvalidRequest(f"'{path}' {why}", param=path)


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
                call = {"name": names.there(block.name), "arguments": arguments}
                calls.append({"id": block.id, "type": "function", "function": call})
    said: Message = {"role": "assistant", "content": "".join(text) if text or not calls else None}
    if aloud := "".join(reasoning):
        said["reasoning_content"] = aloud
    if signed:
        said["thinking_blocks"] = signed
    if calls:
        said["tool_calls"] = calls
    return said
