"""Reads the parts of a chat completion, or of a chunk of one, by the names that servers have for them.

Complete responses and streams use the same rules.
"""

from __future__ import annotations

import html

from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate.chat_upstream import opaque_state

HTML_ENTITIES = "html-entities"
"""OpenClaw's name for arguments in which characters are HTML entities."""

FAILED = "error"
"""OpenRouter's finish reason if the provider behind it failed."""


def reasoning_of(delta: chat.ChoiceDelta) -> str:
    """Return the model's visible reasoning, by the names that servers have for it."""
    return (
        lenient.as_word(delta.reasoning_content)
        or lenient.as_word(delta.reasoning)
        or "".join(
            lenient.as_word(lenient.as_member(entry, "text"))
            or lenient.as_word(lenient.as_member(entry, "summary"))
            or ""
            for entry in details_of(delta)
            if lenient.as_member(entry, "type") in ("reasoning.text", "reasoning.summary")
        )
    )


def details_of(delta: chat.ChoiceDelta) -> list[object]:
    """Return OpenRouter's `reasoning_details`; empty for what is no list."""
    return delta.reasoning_details if isinstance(delta.reasoning_details, list) else []


def visible_details(delta: chat.ChoiceDelta, types: tuple[str, ...]) -> str:
    """Return the text of those reasoning details that are part of the visible response."""
    return "".join(
        lenient.as_text(lenient.as_member(entry, "text"))
        for entry in details_of(delta)
        if lenient.as_member(entry, "type") in types
    )


def opaque_members_of_call(call: chat.ToolCallPiece) -> dict[str, object]:
    """Return what the upstream wants back with this call."""
    members = ((name, getattr(call, name)) for name in opaque_state.CALL_MEMBERS)
    return {name: value for name, value in members if value}


def opaque_members_of_message(delta: chat.ChoiceDelta, visible: tuple[str, ...] = ()) -> dict[str, object]:
    """Return what the upstream wants back with this message; without the details that are ``visible``."""
    details = [entry for entry in details_of(delta) if lenient.as_member(entry, "type") not in visible]
    members = {"reasoning_details": details, "extra_content": delta.extra_content}
    return {name: value for name, value in members.items() if value}


def arguments_text(arguments: str | chat.Json | None) -> str:
    """Return a call's arguments as text; some servers send an object."""
    return strict.encode_response(arguments).decode() if isinstance(arguments, dict) else arguments or ""


def calls_of(delta: chat.ChoiceDelta) -> list[chat.ToolCallPiece]:
    """Return the tool calls; the one call of the old form only if there is no other."""
    if delta.tool_calls:
        return delta.tool_calls
    old = delta.function_call
    return [chat.ToolCallPiece(function=old)] if old is not None and (old.name or old.arguments) else []


def without_entities(value: object) -> object:
    """Return a JSON value whose texts have characters in place of HTML entities; xAI's models write these."""
    if isinstance(value, str):
        return html.unescape(value)
    if isinstance(value, list):
        return [without_entities(one) for one in value]
    if isinstance(value, dict):
        return {name: without_entities(one) for name, one in value.items()}
    return value
