"""Reads and changes the plain value of a JSON5 document: what its text has to say before and after an edit.

Pure. Values are never changed in place.
"""

from __future__ import annotations

import math
from typing import Any, cast

from clawgate.settings.key_path import MAX_DEPTH, KeyPath, format_key_path, in_document

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can express."""


class EditNotSupported(ValueError):
    """The change cannot be made to this document. The message shows no value."""


class NoSuchPath(EditNotSupported):
    """Nothing is at the path."""


def value_at(document: object, path: KeyPath) -> Plain:
    """Return the value at a path of a document. Raises `NoSuchPath`."""
    value: Any = document
    for key in in_document(path, document):
        keys = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if key not in keys:
            raise NoSuchPath(f"there is nothing at {format_key_path(path)}")
        value = value[key]
    return cast(Plain, value)


def find_value(document: object, path: KeyPath) -> Plain:
    """Return the value at a path of a document, None where there is none."""
    try:
        return value_at(document, path)
    except NoSuchPath:
        return None


def same_value(one: object, other: object) -> bool:
    """Return whether two plain values are the same to every reader: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(part, other[key]) for key, part in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def plain_copy(value: object, depth: int = 0) -> Plain:
    """Return a copy of ``value``. Raises `EditNotSupported` for what JSON cannot express."""
    if depth > MAX_DEPTH:
        raise EditNotSupported(f"the value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise EditNotSupported("the keys of an object must be text")
        return {_check_text(key): plain_copy(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(part, depth + 1) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise EditNotSupported("a number must be finite")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _check_text(value)
    raise EditNotSupported("the value cannot be written as JSON")


def _check_text(text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise EditNotSupported("a text contains a lone surrogate, half of a character")
    return text


def with_value(document: Any, path: KeyPath, value: Plain) -> Plain:
    """Return the document with ``value`` at ``path``, making the containers between."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if document is None:
        document = [] if isinstance(key, int) else {}
    if isinstance(document, dict) and isinstance(key, str):
        return document | {key: with_value(document.get(key), rest, value)}
    if isinstance(document, list) and isinstance(key, int) and key <= len(document):
        old = document[key] if key < len(document) else None
        return [*document[:key], with_value(old, rest, value), *document[key + 1 :]]
    if isinstance(document, list) and isinstance(key, int):
        raise EditNotSupported(
            f"the index {key} is too large: the list has {len(document)} entries, the next is [{len(document)}]"
        )
    kind = (
        "a list; give an index, as in [0]"
        if isinstance(document, list)
        else "not an object, so it has no keys"
    )
    raise EditNotSupported(f"the parent of '{key}' is {kind}")


def without_value(document: Any, path: KeyPath) -> Plain:
    """Return the document without what is at ``path``. Raises `NoSuchPath`."""
    parent = value_at(document, path[:-1])
    value_at(document, path)
    if isinstance(parent, dict):
        kept: Plain = {key: part for key, part in parent.items() if key != path[-1]}
    else:
        assert isinstance(parent, list)
        kept = [part for index, part in enumerate(parent) if index != path[-1]]
    return with_value(document, path[:-1], kept)
