"""Translates the system prompt and turns of a Messages request into messages of a chat request.

Tool results come first in their turn, each as a message of its own, then the user's other content. A tool message
contains text only, so images and files of a result go into the user's message behind it. There is no field for a failed
result: its text begins with "Error:". Thinking without a signature came from a chat server, and returns as
`reasoning_content`. What one service signed or encrypted means nothing to another and may be rejected by it: it is
dropped. What the upstream itself had signed returns to where it was, see `opaque_state`. An assistant's turn
in which nothing is left is left out: many servers reject an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import strict
from clawgate.wire.translate import data_url
from clawgate.wire.translate.anthropic_to_openai import system_messages
from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.instructions import Reminders
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.media_type import sniffed_type

Part = dict[str, object]
Message = dict[str, object]
Shown = messages.Text | messages.Image | messages.Document | messages.SearchResult
NO_TEXT = "The result is attached to the next message."


@dataclass(slots=True, kw_only=True)
class TurnTranslator:
    """What the turns of one exchange have in common.

    With ``keeps_cache_control`` the upstream takes Anthropic's marks of what to cache; ``all_thinking``: it is sent the
    words of all thinking, also of that which another service signed.
    """

    names: ToolNames
    ids: CallIds
    all_thinking: bool = False
    keeps_cache_control: bool = False
    ignored: set[str] = field(default_factory=set, init=False)
    """Names of members of blocks that were left out."""
    _messages: list[Message] = field(default_factory=list, init=False)
    _reminders: Reminders = field(init=False)

    def __post_init__(self) -> None:
        self._reminders = Reminders(self._messages)

    def translate(
        self, system: str | Sequence[messages.SystemBlock] | None, turns: Sequence[messages.Message]
    ) -> list[Message]:
        """Return the messages; raises `InvalidRequest` with the path of what cannot be translated."""
        first = next(
            (at for at, turn in enumerate(turns) if not isinstance(turn, messages.SystemMessage)), len(turns)
        )
        leading = [turn for at, turn in enumerate(turns[:first]) if not system_messages.is_cleared(turns, at)]
        self._lead([system, *(turn.content for turn in leading if isinstance(turn, messages.SystemMessage))])
        for number in range(first, len(turns)):
            turn = turns[number]
            if isinstance(turn, messages.UserMessage):
                self._user(turn.content, f"messages[{number}].content")
            elif isinstance(turn, messages.AssistantMessage):
                self._assistant(turn.content)
            elif not system_messages.is_cleared(turns, number):
                self._reminders.add(system_messages.system_texts(turn.content))
        self._reminders.place()
        return self._messages

    def _lead(self, prompts: Iterable[object]) -> None:
        """Begin with the one system message."""
        parts: list[Part] = []
        for prompt in prompts:
            blocks = [messages.Text(prompt)] if isinstance(prompt, str) else prompt or ()
            assert isinstance(blocks, Sequence)
            parts += [
                self.mark({"type": "text", "text": text}, block)
                for block in blocks
                if isinstance(block, messages.Text) and (text := system_messages.without_billing(block.text))
            ]
        if any("cache_control" in part for part in parts):
            self._messages.append({"role": "system", "content": parts})
        elif parts:
            self._messages.append(
                {"role": "system", "content": "\n\n".join(str(part["text"]) for part in parts)}
            )

    def _user(self, content: str | Sequence[messages.UserBlock] | None, path: str) -> None:
        blocks = [messages.Text(content)] if isinstance(content, str) else content or ()
        parts: list[Part] = []
        results: list[Message] = []
        for number, block in enumerate(blocks):
            if isinstance(block, messages.ToolResult):
                message, attached = self._result(block, f"{path}[{number}]")
                results.append(message)
                parts += attached
            else:
                parts += self._parts([block], path, first=number)
        reminders: list[Part] = [{"type": "text", "text": text} for text in self._reminders.take()]
        parts = reminders + parts
        self._messages += results
        if parts or not results:
            self._messages.append({"role": "user", "content": _content(parts)})

    def _result(self, block: messages.ToolResult, path: str) -> tuple[Message, list[Part]]:
        """Return a tool message, and the parts that go into the user's message behind it."""
        content = block.content or ""
        if isinstance(content, str):
            text, attached = content, []
        else:
            parts = self._parts(content, f"{path}.content")
            text = "\n\n".join(str(part["text"]) for part in parts if part["type"] == "text")
            attached = [part for part in parts if part["type"] != "text"]
        if attached and not text:
            text = NO_TEXT
        if block.is_error and not text.lower().startswith("error"):
            text = f"Error: {text}" if text else "Error"
        part = self.mark({"type": "text", "text": text}, block)
        message: Message = {
            "role": "tool",
            "tool_call_id": self.ids.of_result(block.tool_use_id or ""),
            "content": [part] if "cache_control" in part else text,
        }
        return message, attached

    def _parts(self, blocks: Iterable[Shown], path: str, *, first: int = 0) -> list[Part]:
        parts: list[Part] = []
        for number, block in enumerate(blocks, first):
            place = f"{path}[{number}]"
            made: list[Part] = []
            match block:
                case messages.Text():
                    made = [{"type": "text", "text": block.text}]
                case messages.Image():
                    made = [_image(block.source, f"{place}.source")]
                case messages.Document():
                    _check_citations(block.citations, place)
                    made = self._document(block, f"{place}.source")
                case messages.SearchResult():
                    _check_citations(block.citations, place)
                    text = "\n".join(
                        [f"{block.title} ({block.source})", *(text.text for text in block.content)]
                    )
                    made = [{"type": "text", "text": text}]
            if made:
                self.mark(made[-1], block)
            parts += made
        return parts

    def _document(self, block: messages.Document, path: str) -> list[Part]:
        source = block.source
        if isinstance(source, messages.FileSource):
            _reject_file(path)
        if isinstance(source, messages.UrlSource):
            reject(path, "is a document's URL, which a chat request cannot contain; send it as base64")
        if isinstance(source, messages.Base64Source):
            file = {"filename": block.title or "document.pdf", "file_data": _url(source)}
            return [{"type": "file", "file": file}]
        if isinstance(source, messages.TextSource):
            return [{"type": "text", "text": _titled(block, source.data)}]
        if isinstance(source.content, str):
            return [{"type": "text", "text": _titled(block, source.content)}]
        return self._parts(source.content, f"{path}.content")

    def mark(self, part: Part, block: object) -> Part:
        """Return ``part`` with the mark of its block, if it has one and the upstream takes it."""
        mark = getattr(block, "cache_control", None)
        if mark is not None and self.keeps_cache_control:
            part["cache_control"] = mark
        elif mark is not None:
            self.ignored.add("cache_control")
        if getattr(block, "transformations", None) is not None:
            self.ignored.add("image.transformations")
        return part

    def _assistant(self, content: str | Sequence[messages.AssistantBlock] | None) -> None:
        translated = _Assistant(self)
        self.ids.begin_message()
        for block in [messages.Text(content)] if isinstance(content, str) else content or ():
            translated.add(block)
        if (message := translated.message()) is not None:
            self._reminders.place()
            self._messages.append(message)


class _Assistant:
    """One turn of the assistant, block by block."""

    def __init__(self, turns: TurnTranslator) -> None:
        self._turns = turns
        self._texts: list[Part] = []
        self._reasoning: list[str] = []
        self._calls: list[Part] = []
        self._opaque: dict[str, object] = {}  # members of the message
        self._opaque_of_calls: dict[str, dict[str, object]] = {}  # members of calls by the client's ids

    def add(self, block: messages.AssistantBlock) -> None:
        turns = self._turns
        match block:
            case messages.Text():
                self._texts.append(turns.mark({"type": "text", "text": block.text}, block))
            case messages.Thinking():
                self._think(block)
            case messages.ToolUse():
                turns.mark({}, block)
                arguments = strict.encode_request(block.input).decode()
                function = {"name": turns.names.shorten(block.name), "arguments": arguments}
                call: Part = {"id": turns.ids.of_call(block.id), "type": "function", "function": function}
                state = turns.ids.state_in(block.id)
                if state is not None:
                    call |= opaque_state.only(state.call, opaque_state.CALL_MEMBERS)
                    self._note(state)
                call |= opaque_state.only(self._opaque_of_calls.get(block.id), opaque_state.CALL_MEMBERS)
                self._calls.append(call)
                self._opaque_of_calls[block.id] = call

    def _think(self, block: messages.Thinking) -> None:
        turns = self._turns
        signature, state = opaque_state.split(block.signature)
        if state is not None and (own := turns.ids.state_in(block.signature)) is not None:
            self._note(own)
        if turns.all_thinking or not signature:
            self._reasoning.append(block.thinking)

    def _note(self, state: opaque_state.OpaqueState) -> None:
        """Take the members of the message, of which the later state knows more, and those of calls."""
        self._opaque |= opaque_state.only(state.message, opaque_state.MESSAGE_MEMBERS)
        for call_id, members in (state.calls or {}).items():
            known = self._opaque_of_calls.setdefault(call_id, {})
            known |= opaque_state.only(
                members, opaque_state.CALL_MEMBERS
            )  # of a call that came before, this is the call

    def message(self) -> Message | None:
        """Return the chat message; None if nothing is left of the turn."""
        text = "".join(str(part["text"]) for part in self._texts)
        reasoning = "".join(self._reasoning)
        if not (text or self._calls or reasoning or self._opaque):
            return None
        content: object = text if text or not self._calls else None
        if any("cache_control" in part for part in self._texts):
            content = self._texts
        message: Message = {"role": "assistant", "content": content}
        if reasoning and "reasoning_details" not in self._opaque:
            message["reasoning_content"] = reasoning
        message |= self._opaque
        if self._calls:
            message["tool_calls"] = self._calls
        return message


def _content(parts: list[Part]) -> str | list[Part]:
    """Return a single text as a string, which every server accepts."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts or ""


def _image(source: messages.Base64Source | messages.UrlSource | messages.FileSource, path: str) -> Part:
    if isinstance(source, messages.FileSource):
        _reject_file(path)
    return {"type": "image_url", "image_url": {"url": _url(source)}}


def _url(source: messages.Base64Source | messages.UrlSource) -> str:
    if isinstance(source, messages.UrlSource):
        return source.url
    return data_url.build(sniffed_type(source.data) or source.media_type, source.data)


def _titled(block: messages.Document, text: str) -> str:
    return "\n".join(line for line in (block.title, block.context, text) if line)


def _check_citations(citations: messages.Citations | None, path: str) -> None:
    if citations is not None and citations.enabled:
        reject(f"{path}.citations", "requests citations, which only Anthropic makes; set 'enabled' to false")


def _reject_file(path: str) -> NoReturn:
    reject(path, "is an uploaded file, which only the service that stores it can read; send it as base64")
