"""Reads the messages of a chat completion request: the caller's instructions, and the turns of the conversation.

Law: turns stay what they are, and nothing that a person or a tool wrote is left out: what cannot be sent on is refused
with its place. Whether calls and results belong together is for `history`, which knows what is stored: a result that
names no call keeps the id "", and the name of its function. Source of texts: OpenClaw 2026.9.6, recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawgate.agents.request.images import MAX_IMAGES, MAX_TOTAL_BYTES, ImageRules, check_image
from clawgate.agents.request.refusal import field_name, reject, type_name
from clawgate.wire.translate.openai_to_anthropic.call_ids import CallIds

Message = dict[str, Any]

_MISSING = "Missing user message in `messages`."
_SYSTEM = ("system", "developer")
_SPOKEN = ("user", "assistant", "tool", "function")
OF_ASSISTANT = ("role", "content", "name", "refusal", "tool_calls", "reasoning_content", "reasoning",
                "reasoning_details", "thinking_blocks")  # fmt: skip
_MEMBERS = {
    "user": ("role", "content", "name"),
    "assistant": OF_ASSISTANT,
    "tool": ("role", "content", "tool_call_id", "is_error"),
}
"""What goes to the model. The rest of a message is reported as ignored."""
_MOST_IGNORED = 20
"""Names of members that are listed; the list goes into a header."""
_TEXT_MEMBERS = ("name", "refusal")


@dataclass(frozen=True, slots=True)
class Conversation:
    """``system`` is the text of the caller's system and developer messages; ``turns`` are OpenAI's messages.

    ``places`` has the place in the request of each turn, or the name of a result's call in its dialect;
    ``ignored`` the members without effect.
    """

    system: str
    turns: tuple[Message, ...]
    places: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message: its content, or its parts that are text."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def read_conversation(messages: object, rules: ImageRules) -> Conversation:
    """Raises `InvalidRequest`."""
    if not isinstance(messages, list):
        reject("messages", f"messages: Invalid input: expected array, received {type_name(messages)}")
    reader = _Reader(rules)
    for number, message in enumerate(messages):
        reader.read(message, f"messages[{number}]")
    if not any(_has_content(turn) for turn in reader.turns):
        reject("messages", _MISSING)
    ignored = sorted(reader.ignored)
    if len(ignored) > _MOST_IGNORED:
        ignored = [*ignored[:_MOST_IGNORED], "messages.*"]
    system = "\n\n".join(filter(None, reader.system))
    return Conversation(system, tuple(reader.turns), tuple(reader.places), tuple(ignored))


def _has_content(turn: Message) -> bool:
    content = turn.get("content")
    images = isinstance(content, list) and any(part["type"] != "text" for part in content)
    return images or bool(text_of(turn).strip()) or "tool_calls" in turn or turn["role"] == "tool"


class _Reader:
    def __init__(self, rules: ImageRules) -> None:
        self._rules = rules
        self._image_bytes = 0
        self._old_calls: dict[str, list[str]] = {}
        self._ids = CallIds(str)
        """Of the calls of the latest message: clients and their models repeat ids in each message."""
        self._has_named_call = True
        self.system: list[str] = []
        self.turns: list[Message] = []
        self.places: list[str] = []
        self.ignored: set[str] = set()

    def read(self, message: object, place: str) -> None:
        if not isinstance(message, dict):
            reject(place, f"{place}: Invalid input: expected object, received {type_name(message)}")
        role = message.get("role")
        if role in _SYSTEM:
            self.system.append(_system_text(message.get("content"), f"{place}.content"))
            self._note_ignored(message, ("role", "content"))
        elif role in _SPOKEN:
            self.turns.append(self._turn(self._in_new_form(message, place), place))
            self.places.append(place)
        else:
            reject(
                f"{place}.role", f"{_MISSING} `{place}.role` must be one of {', '.join(_SYSTEM + _SPOKEN)}."
            )

    def _in_new_form(self, message: Message, place: str) -> Message:
        """Return a message of the old function calling as one with tools: the names of functions are its links."""
        if message["role"] == "function":
            name = message.get("name")
            if not isinstance(name, str) or not (calls := self._old_calls.get(name)):
                reject(f"{place}.name", f"`{place}.name` names no function that was called before")
            return {"role": "tool", "content": message.get("content"), "tool_call_id": calls.pop(0)}
        call = message.get("function_call")
        if message["role"] != "assistant" or call is None:
            return message
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            reject(f"{place}.function_call", f"`{place}.function_call` must name a function")
        call_id = f"call_{len(self.turns)}"
        self._old_calls.setdefault(call["name"], []).append(call_id)
        made = {"id": call_id, "type": "function", "function": call}
        return {key: value for key, value in message.items() if key != "function_call"} | {
            "tool_calls": [made]
        }

    def _turn(self, message: Message, place: str) -> Message:
        role = message["role"]
        turn = {key: message[key] for key in _MEMBERS[role] if message.get(key) is not None}
        is_unnamed = role == "tool" and not turn.get("tool_call_id") and self._has_named_call
        if is_unnamed and message.get("name") is not None:
            turn["name"] = message["name"]
        self._note_ignored(message, (*_MEMBERS[role], *turn))
        for name in _TEXT_MEMBERS:
            if not isinstance(turn.get(name, ""), str):
                reject(f"{place}.{name}", f"`{place}.{name}` must be a string")
        if "content" in turn:
            turn["content"] = self._content(turn["content"], role, f"{place}.content")
        if role == "assistant":
            self._read_calls(turn, place)
            # Strict chat templates reject a message without the member.
            turn.setdefault("content", None if "tool_calls" in turn else "")
            return turn
        turn.setdefault("content", "")  # of a tool that produced no text
        if role == "tool":
            given = turn.get("tool_call_id", "")
            if not isinstance(given, str):
                path = f"{place}.tool_call_id"
                reject(path, f"`{path}` must name the call that this is the result of")
            turn["tool_call_id"] = "" if is_unnamed else self._ids.of_result(given)
        return turn

    def _read_calls(self, turn: Message, place: str) -> None:
        """Give each call an id of its own; drop an empty list of calls, which OpenAI does not accept."""
        calls = turn.pop("tool_calls", [])
        _check_calls(calls, f"{place}.tool_calls")
        if calls:
            made = f"call_of_turn_{len(self.turns)}"
            self._has_named_call = any(call.get("id") for call in calls)
            self._ids = CallIds(lambda given: made + given if given[:1] in ("", "#") else given)
            turn["tool_calls"] = [
                {"type": "function"} | call | {"id": self._ids.of_call(call.get("id") or "")}
                for call in calls
            ]

    def _note_ignored(self, message: Message, known: tuple[str, ...]) -> None:
        for name, value in message.items():
            if name not in known and value is not None and value != []:
                self.ignored.add(f"messages.{field_name(name)}")

    def _content(self, content: object, role: str, place: str) -> object:
        if isinstance(content, str):
            return content
        if not isinstance(content, list):
            reject(place, f"`{place}` must be a string or a list of parts")
        parts, images = [], 0
        for number, part in enumerate(content):
            where = f"{place}[{number}]"
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "image_url" and role != "assistant":
                images += 1
                parts.append(self._image(part, where))
            elif kind == "text" or (kind == "refusal" and role == "assistant"):
                if not isinstance(part.get(kind), str):
                    reject(where, f"`{where}.{kind}` must be a string")
                parts.append(part)
            else:
                reject(where, f"`{where}` is no text and no image, which are all that an agent reads")
        if images > MAX_IMAGES:
            reject(place, f"Invalid image_url content in `messages`. `{place}` has over {MAX_IMAGES} images.")
        return parts

    def _image(self, part: Message, place: str) -> Message:
        image = part.get("image_url")
        image = image if isinstance(image, dict) else {"url": image}
        self._image_bytes += check_image(image.get("url"), f"{place}.image_url", self._rules)
        if self._image_bytes > MAX_TOTAL_BYTES:
            reject(place, f"Invalid image_url content in `messages`. All have over {MAX_TOTAL_BYTES} bytes.")
        return part | {"image_url": image}


def _check_calls(calls: object, place: str) -> None:
    if not isinstance(calls, list):
        reject(place, f"`{place}` must be a list of calls")
    for number, call in enumerate(calls):
        where = f"{place}[{number}]"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type", "function") != "function":
            reject(where, f"`{where}` must be the call of a function")
        if not isinstance(call.get("id") or "", str):
            reject(f"{where}.id", f"`{where}.id` must be a string")
        if not isinstance(function.get("name"), str) or not function["name"]:
            reject(f"{where}.function.name", f"`{where}.function.name` is required")
        if not isinstance(function.get("arguments", ""), str):
            reject(f"{where}.function.arguments", f"`{where}.function.arguments` must be a string of JSON")


def _system_text(content: object, place: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        reject(place, f"`{place}` must be a string or a list of parts")
    for number, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            reject(f"{place}[{number}]", f"`{place}[{number}]` must be text")
    return "\n".join(part["text"] for part in content)
