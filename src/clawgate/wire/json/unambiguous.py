"""Parses JSON that every reader reads alike: no member is given twice, at any depth, and the nesting is bounded.

RFC 8259 section 4 leaves the meaning of a name that comes twice to the reader, so a check of one reading could be
evaded with another. No NaN, valid UTF-8, and numbers in the decoder's range. Lone surrogate escapes read as U+FFFD.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.json.complexity import MAX_VALUES
from clawgate.wire.json.strict import parse_request

MAX_DEPTH = 100
"""OpenAI's strict schemas may be nested 10 deep (its guide to structured outputs)."""

_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,40}")
_document: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def parse_unambiguous(body: bytes, *, what: str = "the request body") -> Any:
    """Return the value of ``body``, which a message calls ``what``. Raises `InvalidRequest`."""
    structure = _structure(body, what)
    try:
        value = parse_request(body, _document, what=what)
    except InvalidRequest as error:
        raise InvalidRequest(
            error.message
        ) from None  # without a place, which is "[...]" in JSON of any shape
    if _count_members(value, what) != structure.count(b":"):
        name = _given_twice(body)
        shown = f"'{name}'" if name else "a member"
        raise InvalidRequest(f"{what} gives {shown} more than once in one object", param=name or None)
    return value


def _count_members(value: Any, what: str) -> int:
    """Return how many members all objects have. Raises `InvalidRequest` for what is nested too deeply."""
    count, level = 0, [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        parts: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                count += len(part)
                parts += part.values()
            else:
                parts += part
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return count
    raise InvalidRequest(f"{what} is nested more than {MAX_DEPTH} levels deep")


def _structure(body: bytes, what: str) -> bytes:
    """Return what of JSON is outside of its strings. Raises `InvalidRequest` for more values than are read at once.

    A text may contain any number of commas: it is one value.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    strings, halves = plain.count(b'"') // 2, body.count(rb"\ud") + body.count(rb"\uD")
    if max(strings, halves) <= 2 * MAX_VALUES:
        structure = b"".join(plain.split(b'"')[::2])
        if sum(map(structure.count, (b"[", b"{", b","))) <= MAX_VALUES:
            return structure
    raise InvalidRequest(f"{what} contains over {MAX_VALUES} values")


def _given_twice(body: bytes) -> str:
    """Return the name, and empty for one that may be a secret given the wrong way round."""
    found = ""

    def note(members: list[tuple[str, Any]]) -> None:
        nonlocal found
        seen: set[str] = set()
        for name, _ in members:
            found = found or (name if name in seen else "")
            seen.add(name)

    json.loads(body, object_pairs_hook=note, parse_int=str, parse_float=str)
    return found if _PLAIN_NAME.fullmatch(found) else ""
