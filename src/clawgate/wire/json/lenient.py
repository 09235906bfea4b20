"""What did a server mean whose answer does not keep to the types of its dialect?

Counts come as floats or as text, content as a list of parts, a tool's arguments as an object. None of that is worth
an answer that the model has finished: what can be understood is, the rest reads as if it had not been said. Nothing
here raises.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from clawgate.wire.json.surrogates import replace_lone_surrogates

T = TypeVar("T")
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)

_NOT_OF_AN_ID = re.compile(r"[^a-zA-Z0-9]")
_MOST_OF_AN_ID = 24
_MOST = 1 << 53
"""More tokens than there are; JSON's readers disagree about larger numbers."""


def decode(json: bytes | msgspec.Raw, shape: msgspec.json.Decoder[T]) -> T | None:
    """Return ``json`` in its shape, None if it has none; lone surrogates read as U+FFFD."""
    try:
        return shape.decode(json)
    except _UNREADABLE:
        pass
    try:
        return shape.decode(replace_lone_surrogates(bytes(json)))
    except _UNREADABLE:
        return None


def is_json(data: bytes) -> bool:
    """Whether ``data`` is a complete JSON value."""
    return decode(data, _any_value) is not None


_any_value = msgspec.json.Decoder(msgspec.Raw)


def as_int(value: object) -> int | None:
    """A number of tokens, from a number or from text; None for what is none."""
    if isinstance(value, str):
        try:
            value = float(value[:40])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MOST else None  # which neither infinity nor NaN is


def as_member(value: object, name: str) -> object:
    """``value[name]``, None where that is not to be had."""
    return value.get(name) if isinstance(value, dict) else None


def as_word(value: object) -> str | None:
    """Text that says something."""
    return value if isinstance(value, str) and value else None


def as_text(value: object) -> str:
    """Text, empty for what is none."""
    return value if isinstance(value, str) else ""


def call_id(given: object, answer: object, number: int) -> str:
    """The id of a call, or one of its own for the ``number``-th call of an ``answer`` whose server gave it none.

    Its result has to name it, and agents take two calls of one conversation with the same id for the same call: so the
    answer's id is in it, as far as 40 characters let it, which is what OpenAI takes.
    """
    if given and isinstance(given, str):
        return given
    of = _NOT_OF_AN_ID.sub("", as_text(answer))[-_MOST_OF_AN_ID:]
    return f"call_{of}_{number}" if of else f"call_{number}"


def content_parts(content: object) -> list[tuple[str, str]]:
    """The pieces of a message's content, in order, each "text" or "thinking" with what it says.

    A string is one text. Mistral's reasoning models answer with a list, whose thinking is a list of texts in turn.
    """
    if isinstance(content, str):
        return [("text", content)] if content else []
    found: list[tuple[str, str]] = []
    for part in content if isinstance(content, list) else ():
        kind = as_member(part, "type")
        if isinstance(part, str):
            found.append(("text", part))
        elif kind in ("thinking", "reasoning"):
            found.append(("thinking", _said(as_member(part, "thinking") or as_member(part, "text"))))
        else:
            found.append(("text", _said(as_member(part, "text") or as_member(part, "refusal"))))
    return [piece for piece in found if piece[1]]


def _said(value: object) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(value, list):
        return "".join(as_text for as_text in (as_word(as_member(part, "text")) for part in value) if as_text)
    return as_word(value) or ""
