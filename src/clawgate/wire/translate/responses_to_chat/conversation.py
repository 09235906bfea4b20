"""Translates the instructions and input items of a Responses request into messages of a chat request.

Instructions, and messages of the roles system and developer that lead the input, become the one system message; later
ones join a user's turn. What the assistant did between two turns of others is one message: its texts, its calls, and
its reasoning. The outputs of its calls follow at once, wherever they are in the input, since chat servers expect them
there; images and files of an output go into a user's message behind it, since a tool message contains text only.

Reasoning that another service encrypted means nothing to this upstream: it is left out. What the upstream itself had
signed returns to where it was, see `opaque_state`; reasoning in words returns as `reasoning_content`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict
from clawgate.wire.responses import types as responses
from clawgate.wire.translate import data_url
from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.instructions import Reminders
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.media_type import sniffed_type
from clawgate.wire.translate.responses_to_chat import foreign_items, tools
from clawgate.wire.translate.responses_to_chat.tools import KnownTool, ToolTable

Part = dict[str, object]
Message = dict[str, object]
T = TypeVar("T")

NO_TEXT = "The result is attached to the next message."
_APART = "\n\n"
_OUTPUTS = frozenset(
    {"custom_tool_call_output", "function_call_output", "local_shell_call_output", "tool_search_output"}
)
_CLIENT = "client"


class ConversationTranslator:
    """The conversation of one request. With ``all_thinking`` the upstream is sent the words of all reasoning."""

    def __init__(self, *, tools: ToolTable, ids: CallIds, all_thinking: bool = False) -> None:
        self._tools = tools
        self._ids = ids
        self._all_thinking = all_thinking
        self.ignored: set[str] = set()
        """Names of members of items that were left out."""
        self._messages: list[Message] = []
        self._reminders = Reminders(self._messages)
        self._turn = _AssistantTurn()
        self._opaque_of_calls: dict[str, dict[str, object]] = {}  # members of calls by the client's ids
        self._items: list[responses.Json] = []
        self._outputs: dict[
            str, list[int]
        ] = {}  # places of the outputs that were not sent yet, by their calls

    def translate(self, instructions: str | None, given: str | Sequence[responses.Json]) -> list[Message]:
        """Return the messages; raises `InvalidRequest` with the path of what cannot be translated."""
        self._items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        for number, item in enumerate(self._items):
            if _kind(item) in _OUTPUTS and isinstance(call_id := call_id_of(item), str):
                self._outputs.setdefault(call_id, []).append(number)
        system = [instructions] if instructions else []
        first = 0
        while first < len(self._items) and _is_instruction(self._items[first]):
            system += self._instructions(first)
            first += 1
        for number in range(first, len(self._items)):
            self._item(number)
        self._end_turn()
        self._reminders.place()
        if system:
            self._messages.insert(0, {"role": "system", "content": _APART.join(system)})
        return self._messages

    def _item(self, number: int) -> None:
        item, path = self._items[number], f"input[{number}]"
        kind = _kind(item)
        match kind:
            case "message":
                self._message(number)
            case "function_call":
                call = _read(item, responses.FunctionCall, path)
                self._call(
                    call.call_id, KnownTool(tools.FUNCTION, call.name, call.namespace), call.arguments or "{}"
                )
            case "custom_tool_call":
                custom = _read(item, responses.CustomToolCall, path)
                self._call(
                    custom.call_id,
                    KnownTool(tools.CUSTOM, custom.name, custom.namespace),
                    _json({tools.INPUT: custom.input}),
                )
            case "local_shell_call":
                shell = _read(item, responses.LocalShellCall, path)
                action = {name: value for name, value in shell.action.items() if name != "type" and value}
                self._call(
                    shell.call_id or shell.id or "",
                    KnownTool(tools.LOCAL_SHELL, tools.LOCAL_SHELL),
                    _json(action),
                )
            case "tool_search_call" if item.get("execution") == _CLIENT:
                search = _read(item, responses.ToolSearchCall, path)
                self._call(
                    search.call_id or "",
                    KnownTool(tools.TOOL_SEARCH, tools.TOOL_SEARCH),
                    _json(search.arguments),
                )
            case "additional_tools":
                self._tools.add_all(_read(item, responses.Tools, path).tools, f"{path}.tools")
            case "reasoning":
                self._reasoning(_read(item, responses.Reasoning, path))
            case "item_reference":
                reject(
                    path,
                    "refers to an item that is not stored here; set gateway.http.endpoints.responses.enabled to true "
                    "to store responses, or send the item itself, as SDKs do with 'store': false (AI SDK: "
                    "providerOptions: {openai: {store: false}})",
                )
            case "compaction_trigger":
                reject(path, "requests a summary that only OpenAI makes; ask for one in a message")
            case _ if kind in _OUTPUTS and call_id_of(item) is not None:
                self._output(number)
            case _:
                self._foreign(item, path)

    def _message(self, number: int) -> None:
        if _is_instruction(self._items[number]):
            self._end_turn()
            self._reminders.add(self._instructions(number))
            return
        path = f"input[{number}]"
        message = _read(self._items[number], responses.Message, path)
        parts = self._parts(message.content or "", f"{path}.content")
        if message.phase is not None:
            self.ignored.add("input.phase")
        if message.role == "assistant":
            self._turn.texts.append(_text(parts, ""))
        elif message.role == "user":
            self._user(parts)
        else:
            reject(f"{path}.role", "must be user, assistant, system or developer")

    def _instructions(self, number: int) -> list[str]:
        """Return the texts of a message that instructs."""
        path = f"input[{number}]"
        message = _read(self._items[number], responses.Message, path)
        return [text] if (text := _text(self._parts(message.content or "", f"{path}.content"), "")) else []

    def _user(self, parts: list[Part]) -> None:
        self._end_turn()
        reminders: list[Part] = [{"type": "text", "text": text} for text in self._reminders.take()]
        self._messages.append({"role": "user", "content": _content(reminders + parts)})

    def _parts(self, content: str | Iterable[responses.Part], path: str) -> list[Part]:
        if isinstance(content, str):
            return [{"type": "text", "text": content}] if content else []
        made = []
        for number, part in enumerate(content):
            made.append(_part(part, f"{path}[{number}]"))
            if part.prompt_cache_breakpoint is not None:
                self.ignored.add("prompt_cache_breakpoint")
            if part.type == "input_file" and part.detail not in (None, "auto"):
                self.ignored.add("input_file.detail")
        return made

    def _foreign(self, item: responses.Json, path: str) -> None:
        if _kind(item) is None:
            reject(f"{path}.type", "must name the type of the item")
        text = foreign_items.as_text(item)
        if text and item["type"] in foreign_items.OF_CLIENT:
            self._user([{"type": "text", "text": text}])
        elif text:
            self._turn.texts.append(text)

    def _call(self, call_id: str, tool: KnownTool, arguments: str) -> None:
        turn = self._turn
        function = {"name": self._tools.upstream_name(tool), "arguments": arguments}
        call: Part = {"id": self._ids.of_call(call_id), "type": "function", "function": function}
        if (state := self._ids.state_in(call_id)) is not None:
            call |= opaque_state.only(state.call, opaque_state.CALL_MEMBERS)
            self._note(state)
        call |= opaque_state.only(self._opaque_of_calls.get(call_id), opaque_state.CALL_MEMBERS)
        self._opaque_of_calls[call_id] = call
        turn.calls.append(call)
        turn.call_ids.append(call_id)

    def _reasoning(self, item: responses.Reasoning) -> None:
        foreign, state = opaque_state.split(item.encrypted_content or "")
        if state is not None and (own := self._ids.state_in(item.encrypted_content or "")) is not None:
            self._note(own)
        if self._all_thinking or not foreign:
            words = [part.text for part in item.content or item.summary or () if part.text]
            self._turn.reasoning += words

    def _note(self, state: opaque_state.OpaqueState) -> None:
        """Take the members of the message, of which the later state knows more, and those of calls."""
        self._turn.opaque |= opaque_state.only(state.message, opaque_state.MESSAGE_MEMBERS)
        for call_id, members in (state.calls or {}).items():
            known = self._opaque_of_calls.setdefault(call_id, {})
            known |= opaque_state.only(
                members, opaque_state.CALL_MEMBERS
            )  # of a call that came before, this is the call

    def _output(self, number: int) -> None:
        """End the assistant's turn, which sends this output if it is of one of its calls."""
        self._end_turn()
        call_id, path = call_id_of(self._items[number]), f"input[{number}].call_id"
        if not isinstance(call_id, str):
            reject(path, "must be the id of a call")
        if number in self._outputs[call_id]:
            reject(path, "names a call that is not in 'input' before; send that item, too")

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, _AssistantTurn()
        message = turn.message()
        if message is None:
            return
        self._reminders.place()
        self._messages.append(message)
        attached: list[Part] = []
        for call_id in turn.call_ids:
            waiting = self._outputs.get(call_id)
            if waiting:
                result, more = self._result(call_id, waiting.pop(0))
                self._messages.append(result)
                attached += more
        self._ids.begin_message()
        if attached:
            self._messages.append({"role": "user", "content": attached})

    def _result(self, call_id: str, number: int) -> tuple[Message, list[Part]]:
        """Return a tool message, and the parts that go into a user's message behind it."""
        item, path = self._items[number], f"input[{number}]"
        if _kind(item) == "tool_search_output":
            found = _read(item, responses.Tools, path).tools
            self._tools.add_all(found, f"{path}.tools")
            names = ", ".join(tool.name for tool in found if tool.name)
            parts: list[Part] = [
                {"type": "text", "text": f"Available now: {names}" if names else "Nothing found."}
            ]
        else:
            parts = self._parts(_read(item, responses.ToolOutput, path).output or "", f"{path}.output")
        text = _text(parts, _APART)
        attached = [part for part in parts if part["type"] != "text"]
        if attached and not text:
            text = NO_TEXT
        return {"role": "tool", "tool_call_id": self._ids.of_result(call_id), "content": text}, attached


class _AssistantTurn:
    """What the assistant did since the last turn of the user."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasoning: list[str] = []
        self.calls: list[Part] = []
        self.call_ids: list[str] = []  # the client's
        self.opaque: dict[str, object] = {}  # members of the message

    def message(self) -> Message | None:
        """Return the chat message; None if nothing is left of the turn."""
        text, reasoning = (_APART.join(filter(None, pieces)) for pieces in (self.texts, self.reasoning))
        if not (text or self.calls or reasoning or self.opaque):
            return None
        message: Message = {"role": "assistant", "content": text if text or not self.calls else None}
        if reasoning and "reasoning_details" not in self.opaque:
            message["reasoning_content"] = reasoning
        message |= self.opaque
        if self.calls:
            message["tool_calls"] = self.calls
        return message


def _kind(item: responses.Json) -> str | None:
    """Return the type of an item; a message may come without. None for what has none."""
    kind = item.get("type", "message" if "role" in item else None)
    return kind if isinstance(kind, str) else None


def _is_instruction(item: responses.Json) -> bool:
    return _kind(item) == "message" and item.get("role") in ("system", "developer")


def call_id_of(item: responses.Json) -> Any:
    """Return the call that an output is of; `local_shell_call_output` has it as its own id."""
    call_id = item.get("call_id")
    if not call_id and item.get("type") == "local_shell_call_output":
        return item.get("id")
    return call_id  # empty where a server gave none: outputs follow their calls in order


def _read(item: responses.Json, shape: type[T], path: str) -> T:
    """Return an item in its shape; raises `InvalidRequest` with the path of what is wrong."""
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        param = path + place.removesuffix("`")
        raise InvalidRequest(
            f"'{param}' cannot be read: {strict.abbreviated(problem)}", param=param
        ) from None


def _part(part: responses.Part, path: str) -> Part:
    match part.type:
        case "input_image":
            return _image(part, path)
        case "input_file":
            return _file(part, path)
        case "input_audio" if part.input_audio is not None:
            return {"type": "input_audio", "input_audio": part.input_audio}
    text = part.refusal if part.type == "refusal" else part.text
    if text is None:
        what = strict.abbreviated(part.type).replace("_", " ")
        text = f"[{what}: left out, since this model cannot read it]"
    return {"type": "text", "text": text}


def _image(part: responses.Part, path: str) -> Part:
    if part.image_url is None:
        _reject_uploaded(path, part)
    image = {"url": _labelled(part.image_url)}
    if part.detail not in (None, "auto"):
        image["detail"] = "low" if part.detail == "low" else "high"  # "original" is of this API alone
    return {"type": "image_url", "image_url": image}


def _file(part: responses.Part, path: str) -> Part:
    if part.file_data is None:
        if part.file_url is not None:
            reject(
                f"{path}.file_url",
                "is a document's URL, which a chat request cannot contain; send it as 'file_data'",
            )
        _reject_uploaded(path, part)
    data = part.file_data
    if data_url.parse(data) is None:
        data = data_url.build(sniffed_type(data) or "application/pdf", data)
    return {"type": "file", "file": {"filename": part.filename or "document.pdf", "file_data": data}}


def _labelled(url: str) -> str:
    """Return an image's URL; the type of one that contains it is that of its bytes."""
    parsed = data_url.parse(url)
    if parsed is None:
        return url
    media_type, data = parsed
    return data_url.build(sniffed_type(data) or media_type, data)


def _reject_uploaded(path: str, part: responses.Part) -> NoReturn:
    if part.file_id is None:
        reject(path, "has no data; send it as base64")
    reject(
        f"{path}.file_id",
        "is an uploaded file, which only the service that stores it can read; send it as base64",
    )


def _text(parts: Iterable[Part], apart: str) -> str:
    return apart.join(str(part["text"]) for part in parts if part["type"] == "text")


def _content(parts: list[Part]) -> str | list[Part]:
    """Return a single text as a string, which every server accepts."""
    return _text(parts, "") if len(parts) <= 1 and all(part["type"] == "text" for part in parts) else parts


def _json(value: object) -> str:
    return strict.encode_request(value).decode()
