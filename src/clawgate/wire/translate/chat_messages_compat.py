"""Changes the messages of a chat request so that their server accepts them, see `chat_compat`."""

from __future__ import annotations

from typing import Any

from clawgate.wire.translate.compat import Compat

Message = dict[str, Any]

PROCESSED = "I have processed the tool results."
"""What the assistant says between the results of tools and the user; OpenClaw's words."""


def adapt_messages(messages: list[Any], compat: Compat) -> list[Any]:
    """Return the messages as the server accepts them."""
    called: dict[object, object] = {}  # the names of functions, by the ids of their calls
    adapted: list[Any] = []
    for given in messages:
        if not isinstance(given, dict):
            adapted.append(given)
            continue
        message = dict(given)
        _adapt_role(message, compat)
        if message.get("role") == "assistant":
            called |= _names_by_id(message)
            _adapt_assistant(message, compat)
        elif message.get("role") == "tool" and compat.requires_tool_result_name:
            name = called.get(message.get("tool_call_id"))
            if name is not None:
                message.setdefault("name", name)
        if compat.requires_assistant_after_tool_result and _follows_results(adapted, message):
            adapted.append({"role": "assistant", "content": PROCESSED})
        adapted.append(message)
    if compat.strict_message_keys or compat.supports_tools is False:
        adapted = [_without_calls(message, called) for message in adapted]
    if compat.strict_message_keys:
        adapted = [_role_and_content(message) for message in adapted]
    if compat.requires_string_content:
        for message in adapted:
            if isinstance(message, dict) and "content" in message:
                message["content"] = joined_texts(message["content"])
    return adapted


def _adapt_role(message: Message, compat: Compat) -> None:
    if compat.supports_developer_role is False and message.get("role") == "developer":
        message["role"] = "system"


def _names_by_id(message: Message) -> dict[object, object]:
    names = {}
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(call.get("id"), str):
            names[call["id"]] = function.get("name")
    return names


def _adapt_assistant(message: Message, compat: Compat) -> None:
    if compat.requires_thinking_as_text:
        reasoning = message.pop("reasoning_content", None) or message.pop("reasoning", None)
        if isinstance(reasoning, str) and reasoning:
            _prepend(message, thinking_as_text(reasoning))
    if compat.requires_reasoning_content_on_assistant_messages and compat.reasoning:
        message.setdefault("reasoning_content", "")
    if compat.requires_assistant_after_tool_result and message.get("content") is None:
        message["content"] = ""


def _prepend(message: Message, text: str) -> None:
    content = message.get("content")
    if isinstance(content, list):
        message["content"] = [{"type": "text", "text": text}, *content]
    else:
        message["content"] = f"{text}\n\n{content}" if content else text


def _follows_results(before: list[Any], message: Message) -> bool:
    last = before[-1] if before else None
    return message.get("role") == "user" and isinstance(last, dict) and last.get("role") == "tool"


def _without_calls(message: Any, called: dict[object, object]) -> Any:
    """Return the message with its calls, or as the result of one, in words."""
    if not isinstance(message, dict):
        return message
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        in_words = [_described(call) for call in calls if isinstance(call, dict)]
        message = {name: value for name, value in message.items() if name != "tool_calls"}
        content = message.get("content")
        if isinstance(content, list):
            message["content"] = [*content, *({"type": "text", "text": words} for words in in_words)]
        else:
            message["content"] = "\n".join([content, *in_words] if content else in_words)
    elif message.get("role") == "tool":
        name = called.get(message.get("tool_call_id"))
        result = dict(message, role="user")
        _prepend(result, result_heading(name))
        return {name: result[name] for name in ("role", "content")}
    return message


def _described(call: dict[str, Any]) -> str:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    return call_in_words(function.get("name"), function.get("arguments") or "{}")


def call_in_words(name: object, arguments: object) -> str:
    """Return what stands for a call of a tool where the server knows none."""
    return f"[{name} was called with {arguments}]"


def result_heading(name: object) -> str:
    """Return what stands in front of the result of a call then; ``name`` is None if it is not known."""
    return f"[Result of {name or 'the tool'}]"


def thinking_as_text(thinking: object) -> str:
    """Return earlier reasoning as the text that it becomes."""
    return f"<thinking>\n{thinking}\n</thinking>"


def _role_and_content(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {name: message[name] for name in ("role", "content") if name in message}


def joined_texts(content: Any) -> Any:
    """Return one text for a list of texts; anything else as it is."""
    texts = []
    for part in content if isinstance(content, list) else (None,):
        is_text = isinstance(part, dict) and part.get("type", "text") == "text"
        text = part.get("text") if is_text and isinstance(part, dict) else part
        if not isinstance(text, str):
            return content
        texts.append(text)
    return "\n".join(texts)
