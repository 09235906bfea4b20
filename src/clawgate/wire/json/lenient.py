"""Reads values of responses that do not keep to the types of their dialect.

Servers send counts as floats or text, content as a list of parts, a tool's arguments as an object. None of that is
worth losing a response that the model has finished: what makes sense is read, the rest counts as missing. Nothing here
raises.
"""

from __future__ import annotations

import math
import re
from typing import TypeVar

import msgspec

from clawgate.wire.json.complexity import is_too_complex
from clawgate.wire.json.surrogates import replace_invalid_bytes, replace_lone_surrogates

T = TypeVar("T")
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9]")
_MAX_ID_PART = 24
_MAX_COUNT = 1 << 53
"""More tokens than there are; JSON's readers disagree about larger numbers."""
_MAX_COUNT_DEPTH = 3
"""Objects of counts within each other; both services have one."""


def decode(json: bytes | msgspec.Raw, shape: msgspec.json.Decoder[T]) -> T | None:
    """Return ``json`` in its shape, None if it has none; lone surrogates and invalid bytes read as U+FFFD."""
    try:
        return shape.decode(json)
    except _UNREADABLE:
        pass
    raw = bytes(json)
    if is_too_complex(raw):
        return None
    try:
        return shape.decode(replace_lone_surrogates(replace_invalid_bytes(raw)))
    except _UNREADABLE:
        return None


def is_json(data: bytes) -> bool:
    return decode(data, _any_value) is not None


_any_value = msgspec.json.Decoder(msgspec.Raw)


def as_int(value: object) -> int | None:
    """Return a number of tokens, from a number or from text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value[:40])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MAX_COUNT else None  # which neither infinity nor NaN is


def as_index(value: object) -> int | str | None:
    """Return what distinguishes an entry of a stream, None for what cannot; 0.0 and "0" are 0."""
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        return int(number) if number.is_integer() else str(value).strip() or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def merge_counts(known: dict[object, object], later: object, depth: int = 0) -> None:
    """Add ``later`` to ``known``, token counts of one response: of two numbers the larger one stays.

    Totals only grow; some servers repeat them as zeros at the end of a stream.
    """
    for name, value in later.items() if isinstance(later, dict) else ():
        before, count = known.get(name), as_int(known.get(name))
        if isinstance(before, dict):
            if depth < _MAX_COUNT_DEPTH:
                merge_counts(before, value, depth + 1)
        elif value is not None and (count is None or count < (as_int(value) or 0)):
            known[name] = dict(value) if isinstance(value, dict) else value


def as_member(value: object, name: str) -> object:
    """Return ``value[name]``, None if ``value`` is no object or has no such member."""
    return value.get(name) if isinstance(value, dict) else None


def as_word(value: object) -> str | None:
    """Return text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def as_text(value: object) -> str:
    """Return text; empty for anything else."""
    return value if isinstance(value, str) else ""


def call_id(sent_id: object, response_id: object, number: int) -> str:
    """Return the id of a tool call, or one for the ``number``-th call of a response whose server sent none.

    The tool's result has to name it, and agents take two calls of one conversation with the same id for the same call.
    So it contains the id of the response, as far as the 40 characters that OpenAI accepts let it.
    """
    if sent_id and isinstance(sent_id, str):
        return sent_id
    response = _NOT_IN_ID.sub("", as_text(response_id))[-_MAX_ID_PART:]
    return f"call_{response}_{number}" if response else f"call_{number}"


def content_parts(content: object) -> list[tuple[str, str]]:
    """Return the pieces of a message's content in order: "text" or "thinking", and the text of it.

    A string is one text. Mistral's reasoning models send a list, whose thinking is a list of texts in turn.
    """
    if isinstance(content, str):
        return [("text", content)] if content else []
    pieces: list[tuple[str, str]] = []
    for part in content if isinstance(content, list) else ():
        kind = as_member(part, "type")
        if isinstance(part, str):
            pieces.append(("text", part))
        elif kind in ("thinking", "reasoning"):
            pieces.append(("thinking", _joined_text(as_member(part, "thinking") or as_member(part, "text"))))
        else:
            pieces.append(("text", _joined_text(as_member(part, "text") or as_member(part, "refusal"))))
    return [piece for piece in pieces if piece[1]]


def _joined_text(value: object) -> str:
    """Return a text, or the joined texts of a list of parts."""
    if isinstance(value, list):
        return "".join(as_text for as_text in (as_word(as_member(part, "text")) for part in value) if as_text)
    return as_word(value) or ""
