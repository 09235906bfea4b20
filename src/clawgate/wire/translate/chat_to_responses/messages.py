"""Translates the messages of a chat request into the items of a Responses request.

Each message keeps its role and place; leading system and developer messages become `instructions` where compat has
`supportsInstructions: true` (OpenAI requires the word "JSON" in the input itself for `json_object`, so not by default).
In a turn of the assistant its reasoning comes first, then its words, then its calls: OpenAI rejects reasoning that
nothing follows, so it is left out there. A turn in which nothing is left is left out. Call ids keep to
`call_ids.LONGEST` characters, for a call and its result alike, and no two calls have the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from clawgate.wire.json import lenient
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import data_url
from clawgate.wire.translate.chat_to_responses.reasoning import kept_items
from clawgate.wire.translate.chat_to_responses.request_types import FunctionMessage
from clawgate.wire.translate.chat_upstream.call_ids import shortened
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.media_type import sniffed_type
from clawgate.wire.translate.openai_to_anthropic.call_ids import CallIds

Item = dict[str, object]
Message = chat.Message | FunctionMessage
_Part = chat.TextPart | chat.ImagePart | chat.FilePart | chat.AudioPart | chat.RefusalPart

_UNNAMED = "call"
"""The id of a call without one, as those of the old form are."""


class InputItems:
    """The items of one conversation: `add` each message in order. ``tag`` is the upstream's provider's."""

    def __init__(self, *, tag: str = "") -> None:
        self.items: list[Item] = []
        self.ignored: set[str] = set()
        """Names of members of messages that have no counterpart."""
        self._tag = tag
        self._ids = CallIds(shortened)
        self._custom: set[str] = set()  # ids of calls whose input is text

    def add(self, message: Message, path: str) -> None:
        """Raises `InvalidRequest` with the path of what cannot be translated."""
        match message:
            case chat.SystemMessage():
                self._note_name(message.name)
                role = "developer" if isinstance(message, chat.DeveloperMessage) else "system"
                content = self._content(message.content, f"{path}.content")
                self.items.append({"type": "message", "role": role, "content": content})
            case chat.UserMessage():
                self._note_name(message.name)
                content = self._content(message.content, f"{path}.content")
                self.items.append({"type": "message", "role": "user", "content": content})
            case chat.AssistantMessage():
                self._assistant(message, path)
            case chat.ToolMessage():
                content = self._content(message.content or "", f"{path}.content")
                if message.is_error and isinstance(content, str) and not content.lower().startswith("error"):
                    content = f"Error: {content}" if content else "Error"
                self._result(self._ids.of_result(message.tool_call_id or _UNNAMED), content)
            case FunctionMessage():
                self._result(self._ids.of_result(_UNNAMED), message.content or "")

    def _assistant(self, message: chat.AssistantMessage, path: str) -> None:
        if message.audio is not None:
            reject(f"{path}.audio", "is a response that only the service which spoke it has; send its text")
        self._note_name(message.name)
        made = [*self._words(message), *self._calls(message, path)]
        if made:
            self.items += kept_items(message.reasoning_details, self._tag)
            self.items += made

    def _words(self, message: chat.AssistantMessage) -> list[Item]:
        """Return the item of what the assistant wrote, if it wrote anything."""
        given = message.content or ""
        parts: list[Item] = []
        for part in [chat.TextPart(given)] if isinstance(given, str) else given:
            if isinstance(part, chat.RefusalPart):
                parts.append({"type": "refusal", "refusal": part.refusal})
            elif part.text:
                self._note_marks(part)
                parts.append({"type": "output_text", "text": part.text, "annotations": []})
        if message.refusal:
            parts.append({"type": "refusal", "refusal": message.refusal})
        if not parts:
            return []
        content: object = parts
        if all(part["type"] == "output_text" for part in parts):
            content = "".join(str(part["text"]) for part in parts)
        return [{"type": "message", "role": "assistant", "content": content}]

    def _calls(self, message: chat.AssistantMessage, path: str) -> list[Item]:
        items: list[Item] = []
        if message.tool_calls or message.function_call is not None:
            self._ids.begin_message()
        for number, call in enumerate(message.tool_calls or ()):
            item: Item
            if call.type == "function" and call.function is not None:
                call_id = self._ids.of_call(call.id or _UNNAMED)
                item = _function_call(call_id, call.function.name, call.function.arguments)
            elif call.type == "custom" and call.custom is not None:
                call_id = self._ids.of_call(call.id or _UNNAMED)
                self._custom.add(call_id)
                item = {"type": "custom_tool_call", "call_id": call_id}
                item |= {"name": call.custom.name, "input": call.custom.input}
            else:
                reject(f"{path}.tool_calls[{number}]", "is neither a function call nor a custom tool call")
            items.append(item)
        if (old := message.function_call) is not None:
            if (name := lenient.as_word(old.get("name"))) is None:
                reject(f"{path}.function_call", "must have a 'name'")
            arguments = lenient.as_text(old.get("arguments"))
            items.append(_function_call(self._ids.of_call(_UNNAMED), name, arguments))
        return items

    def _result(self, call_id: str, output: object) -> None:
        kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
        self.items.append({"type": kind, "call_id": call_id, "output": output})

    def _content(self, content: str | Sequence[_Part], path: str) -> str | list[Item]:
        """Return a message's content; a single text as a string, which every server accepts."""
        if isinstance(content, str):
            return content
        parts = [self._part(part, f"{path}[{number}]") for number, part in enumerate(content)]
        if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
            return str(parts[0]["text"])
        return parts

    def _part(self, part: _Part, path: str) -> Item:
        made: Item
        match part:
            case chat.TextPart():
                made = {"type": "input_text", "text": part.text}
            case chat.ImagePart():
                image = part.image_url
                detail = lenient.as_word(image.detail) or "auto"
                made = {"type": "input_image", "image_url": _labelled(image.url), "detail": detail}
            case chat.FilePart():
                file = part.file
                if file.file_data is None and file.file_id is None:
                    reject(f"{path}.file", "must have 'file_data' or a 'file_id'")
                members = {"file_data": file.file_data, "file_id": file.file_id, "filename": file.filename}
                made = {"type": "input_file", **{key: value for key, value in members.items() if value}}
            case _:
                reject(f"{path}.type", "is 'input_audio', which the Responses API does not accept; send text")
        self._note_marks(part)
        if (mark := part.prompt_cache_breakpoint) is not None:
            made["prompt_cache_breakpoint"] = mark
        return made

    def _note_name(self, name: object) -> None:
        if name:
            self.ignored.add("messages.name")

    def _note_marks(self, part: chat.TextPart | chat.ImagePart | chat.FilePart) -> None:
        if part.cache_control is not None:
            self.ignored.add("cache_control")


def split_instructions(messages: Sequence[Message]) -> tuple[str | None, int]:
    """Return the texts of the leading system and developer messages as one, and how many messages those are."""
    texts: list[str] = []
    for message in messages:
        if not isinstance(message, chat.SystemMessage):
            break
        parts = [message.content] if isinstance(message.content, str) else [p.text for p in message.content]
        texts += [text for text in parts if text]
    count = next(
        (at for at, one in enumerate(messages) if not isinstance(one, chat.SystemMessage)), len(messages)
    )
    return "\n\n".join(texts) or None, count


def _function_call(call_id: str, name: str, arguments: str) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments or "{}"}


def _labelled(url: str) -> str:
    """Return an image's URL; one with data is labelled by what its bytes are."""
    parsed = data_url.parse(url)
    if parsed is None:
        return url
    kind = sniffed_type(parsed[1])
    return data_url.build(kind, parsed[1]) if kind is not None and kind != parsed[0] else url
