"""How does one value of a JSON5 text change without a byte of the rest? Text in, text out; it knows no file.

Comments, order, quotes, indentation, line ends and commas stay. What is removed takes the comments within it along,
and no others. Nothing is given back that was not read again and found to say what it should.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pyjson5

from clawgate.settings.json5.source_map import InvalidJson5, Span, positions
from clawgate.settings.json5.style import (
    BLANKS,
    LINE_BREAKS,
    Plain,
    begins_line,
    blanks_before,
    has_break,
    indent_at,
    sibling_style,
    style_of,
)
from clawgate.settings.key_path import KeyPath, format_key_path, in_document
from clawgate.settings.redaction import contains_placeholder

_NO_TEXT = BLANKS + LINE_BREAKS


class EditNotSupported(ValueError):
    """The change cannot be made to this text; says why, and shows no value."""


class NoSuchPath(EditNotSupported):
    """There is nothing at the path."""


class EditVerificationFailed(Exception):
    """The new text does not say what it should: a defect of this module. Nothing may be written."""


def set_value(text: str, path: KeyPath, value: object) -> str:
    """``text`` with ``value`` at ``path``; the same text if that stands there already.

    Makes the objects on the way; a list grows by one at its end. Of an object only what differs is touched. Raises
    `InvalidJson5` for a text that cannot be read, `EditNotSupported` for a path or value that cannot be, and for a
    value that is a redaction placeholder (`settings.redaction`).
    """
    document = _read(text)
    where = in_document(path, document)
    wanted = _plain(value)
    if marked := contains_placeholder(where, wanted):
        raise EditNotSupported(
            f"{format_key_path(marked)}: this is the mark that stands for a hidden secret, not the secret"
        )
    expected = _with(document, where, wanted)
    return _checked(_set(text, document, where, wanted), expected)


def unset_value(text: str, path: KeyPath) -> str:
    """``text`` without what stands at ``path``. Raises `NoSuchPath`, or as `set_value` does."""
    document = _read(text)
    where = in_document(path, document)
    if not where:
        raise EditNotSupported("the whole file cannot be unset")
    return _checked(_unset(text, where), _without(document, where))


def value_at(document: object, path: KeyPath) -> Plain:
    """What stands at a path of a read text. Raises `NoSuchPath`."""
    found: Any = document
    for key in in_document(path, document):
        held = range(len(found)) if isinstance(found, list) else found if isinstance(found, dict) else ()
        if key not in held:
            raise NoSuchPath(f"there is nothing at {format_key_path(path)}")
        found = found[key]
    return cast(Plain, found)


def same_value(one: object, other: object) -> bool:
    """Whether two plain values are the same to every reader: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(part, other[key]) for key, part in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _read(text: str) -> object:
    positions(text)  # stricter than the reader: a key that is there twice is refused
    try:
        return pyjson5.decode(text)
    except pyjson5.Json5Exception as error:
        raise InvalidJson5("it cannot be read", 1, 1) from error


def _checked(text: str, expected: object) -> str:
    try:
        found = _read(text)
    except InvalidJson5 as error:
        raise EditVerificationFailed(f"the new text could not be read: {error.message}") from error
    if not same_value(found, expected):
        raise EditVerificationFailed("the new text would say something else than it should")
    return text


def _plain(value: object, depth: int = 0) -> Plain:
    """A copy of ``value`` if JSON can say it."""
    if depth > 64:
        raise EditNotSupported("the value is nested too deep")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise EditNotSupported("the keys of an object must be text")
        return {_encodable(key): _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise EditNotSupported("a number must be finite")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _encodable(value)
    raise EditNotSupported("the value is nothing that JSON can say")


def _encodable(text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise EditNotSupported("a text holds half a character (a lone surrogate)")
    return text


def _with(document: Any, path: KeyPath, value: Plain) -> Plain:
    """The plain document as it should be afterwards: what the new text is compared with."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if document is None:
        document = [] if isinstance(key, int) else {}
    if isinstance(document, dict) and isinstance(key, str):
        return document | {key: _with(document.get(key), rest, value)}
    if isinstance(document, list) and isinstance(key, int) and key <= len(document):
        old = document[key] if key < len(document) else None
        return [*document[:key], _with(old, rest, value), *document[key + 1 :]]
    if isinstance(document, list) and isinstance(key, int):
        raise EditNotSupported(
            f"the index {key} is too large: the list has {len(document)} entries, the next is [{len(document)}]"
        )
    kind = (
        "a list: give an index, as in [0]" if isinstance(document, list) else "no object, so it has no keys"
    )
    raise EditNotSupported(f"what should hold '{key}' is {kind}")


def _without(document: Any, path: KeyPath) -> Plain:
    parent = value_at(document, path[:-1])
    value_at(document, path)
    if isinstance(parent, dict):
        kept: Plain = {key: part for key, part in parent.items() if key != path[-1]}
    else:
        assert isinstance(parent, list)
        kept = [part for index, part in enumerate(parent) if index != path[-1]]
    return _with(document, path[:-1], kept)


def _set(text: str, document: object, path: KeyPath, value: Plain) -> str:
    try:
        present = value_at(document, path)
    except NoSuchPath:
        return _added(text, path, value)
    if same_value(present, value):
        return text
    if present and value and isinstance(present, dict) and isinstance(value, dict):
        return _merged(text, path, present, value)
    if present and isinstance(present, list) and isinstance(value, list):
        return _relisted(text, path, present, value)
    return _replaced(text, path, value)


def _merged(text: str, path: KeyPath, present: dict[str, Plain], value: dict[str, Plain]) -> str:
    if not present.keys() & value.keys():
        return _replaced(text, path, value)
    for key in [key for key in present if key not in value]:
        text = _unset(text, (*path, key))
    for key, part in value.items():
        text = _set(text, pyjson5.decode(text), (*path, key), part)
    return text


def _relisted(text: str, path: KeyPath, present: list[Plain], value: list[Plain]) -> str:
    """A list whose entries were taken out, added or changed in place; anything else is written anew."""
    kept = 0
    gone = []
    for index, part in enumerate(present):
        if kept < len(value) and same_value(part, value[kept]):
            kept += 1
        else:
            gone.append(index)
    if kept == len(value) or (kept and not gone):
        for index in reversed(gone):
            text = _unset(text, (*path, index))
        for index in range(kept, len(value)):
            text = _added(text, (*path, index), value[index])
        return text
    if len(present) != len(value):
        return _replaced(text, path, value)
    for index, part in enumerate(value):
        text = _set(text, pyjson5.decode(text), (*path, index), part)
    return text


def _replaced(text: str, path: KeyPath, value: Plain) -> str:
    spans = positions(text)
    span = spans[path]
    style = style_of(text, spans)
    one_line_list = span.kind == "array" and not has_break(text[span.value_start : span.value_end])
    if (own_quote := text[span.value_start]) in "\"'":
        style = replace(style, quote=own_quote)
    box = spans[path[:-1]]
    in_line = (one_line_list and span.value_end - span.value_start > 2) or (
        path != () and not has_break(text[box.value_start : box.value_end])
    )
    written = style.value(value, indent_at(text, span.key_start), in_line=in_line)
    return text[: span.value_start] + written + text[span.value_end :]


def _added(text: str, path: KeyPath, value: Plain) -> str:
    """A new member of the nearest container that is there; what lies between is made."""
    spans = positions(text)
    depth = len(path) - 1
    while path[:depth] not in spans:
        depth -= 1
    for key in reversed(path[depth + 1 :]):
        value = {key: value} if isinstance(key, str) else [value]
    if spans[path[:depth]].kind == "scalar":  # null, or it would have been refused
        key = path[depth]
        return _replaced(text, path[:depth], {key: value} if isinstance(key, str) else [value])
    return _inserted(text, spans, path[: depth + 1], value)


def _inserted(text: str, spans: Mapping[KeyPath, Span], path: KeyPath, value: Plain) -> str:
    box = spans[path[:-1]]
    siblings = _children(spans, path[:-1])
    style = sibling_style(style_of(text, spans), text, siblings)
    last = list(siblings.values())[-1] if siblings else None
    start = box.value_start + 1 if last is None else last.value_end if last.comma is None else last.comma + 1
    tail = text[start : box.value_end - 1]
    at = start + len(tail.rstrip(_NO_TEXT))  # behind the comments
    if last is None:
        in_lines = bool(style.line_end)
    else:
        first = next(iter(siblings.values()))
        in_lines = has_break(text[box.value_start : first.key_start]) or has_break(tail)
    name = path[-1]

    def member(indent: str) -> str:
        written = style.value(value, indent, in_line=not in_lines)
        return f"{style.key(name)}: {written}" if isinstance(name, str) else written

    if in_lines:
        ends = [span.key_start for span in siblings.values() if begins_line(text, span.key_start)]
        outer = indent_at(text, box.key_start)
        indent = indent_at(text, ends[-1]) if ends else outer + style.unit
        line_end = style.line_end or "\n"
        new = line_end + indent + member(indent) + ("," if style.trailing else "")
        if not has_break(text[at : box.value_end - 1]) and last is None:
            new += line_end + outer
            if at == start:  # blanks alone between the brackets
                return text[:start] + new + text[box.value_end - 1 :]
    else:
        space = " " if last is not None or at > start else ""
        new = (
            space
            + member(indent_at(text, box.key_start))
            + ("," if last is not None and style.trailing else "")
        )
    if last is not None and last.comma is None:
        return text[: last.value_end] + "," + text[last.value_end : at] + new + text[at:]
    return text[:at] + new + text[at:]


def _children(spans: Mapping[KeyPath, Span], path: KeyPath) -> dict[KeyPath, Span]:
    size = len(path)
    return {found: span for found, span in spans.items() if len(found) == size + 1 and found[:size] == path}


def _unset(text: str, path: KeyPath) -> str:
    spans = positions(text)
    if path not in spans:
        raise NoSuchPath(f"there is nothing at {format_key_path(path)}")
    siblings = list(_children(spans, path[:-1]).items())
    index = [found for found, _ in siblings].index(path)
    span, box = spans[path], spans[path[:-1]]
    end, between = span.value_end, ""
    if span.comma is not None:
        end = span.comma + 1
        between = text[span.value_end : span.comma]
        if not between.strip(_NO_TEXT):
            between = ""  # unless comments stand before the comma
    start = span.key_start
    behind = end
    while behind < len(text) and text[behind] in BLANKS:
        behind += 1
    if begins_line(text, start) and text[behind : behind + 1] in ("\r", "\n") and not between:
        start, end = _line_end_before(text, blanks_before(text, start)), behind
    elif begins_line(text, start) or index + 1 < len(siblings):
        end = behind
    else:
        start = blanks_before(text, start)
    kept = text[:start] + between + text[end:]
    closing = box.value_end - 1 - (end - start) + len(between)
    if index and span.comma is None:  # the one before is the last now
        comma = siblings[index - 1][1].comma
        assert comma is not None
        kept, closing = kept[:comma] + kept[comma + 1 :], closing - 1
    inside = kept[box.value_start + 1 : closing]
    if not inside.strip(_NO_TEXT):
        kept = kept[: box.value_start + 1] + kept[closing:]
    return kept


def _line_end_before(text: str, at: int) -> int:
    """Where the line end begins that ends right before ``at``."""
    if text[at - 2 : at] == "\r\n":
        return at - 2
    return max(at - 1, 0)
