"""Changes one value of a JSON5 text and no other byte: comments, order, quotes, indentation and commas stay.

Pure: text in, text out. What is removed takes the comments within it along, and no others. Every result is parsed
again and compared with the value that it should have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyjson5

from clawgate.settings.json5.document import (
    EditNotSupported,
    NoSuchPath,
    Plain,
    find_value,
    plain_copy,
    same_value,
    value_at,
    with_value,
    without_value,
)
from clawgate.settings.json5.source_map import InvalidJson5, Span, spans_of
from clawgate.settings.json5.style import (
    BLANKS,
    LINE_BREAKS,
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


class EditVerificationFailed(Exception):
    """The new text has another value than it should: a defect of this module. It must not be written."""


def value_in(text: str, path: KeyPath) -> Plain:
    """Return the value at a path of a text, None where there is none. An invalid text is for the edit to report."""
    try:
        return find_value(pyjson5.decode(text), path)
    except pyjson5.Json5Exception:
        return None


def set_value(text: str, path: KeyPath, value: object) -> str:
    """Return ``text`` with ``value`` at ``path``; the same text if it has that value.

    Makes the objects between; a list grows by one at its end. Of an object only what differs is changed. Raises
    `InvalidJson5` for a text that cannot be read, `EditNotSupported` for a path or value that cannot be, and for a
    value that is a redaction placeholder (`settings.redaction`).
    """
    document = _read(text)
    own = in_document(path, document)
    copy = plain_copy(value)
    if placeholder := contains_placeholder(own, copy):
        raise EditNotSupported(
            f"{format_key_path(placeholder)}: is a redaction placeholder, not a secret; enter the real value"
        )
    return _verified(_set(text, document, own, copy), with_value(document, own, copy))


def unset_value(text: str, path: KeyPath) -> str:
    """Return ``text`` without what is at ``path``. Raises `NoSuchPath`, or as `set_value` does."""
    document = _read(text)
    own = in_document(path, document)
    if not own:
        raise EditNotSupported("the whole file cannot be unset")
    return _verified(_unset(text, own), without_value(document, own))


def _read(text: str) -> object:
    spans_of(text)  # stricter than the reader: a duplicate key is an error
    try:
        return pyjson5.decode(text)
    except pyjson5.Json5Exception as error:
        raise InvalidJson5("it cannot be read", 1, 1) from error


def _verified(text: str, expected: object) -> str:
    try:
        value = _read(text)
    except InvalidJson5 as error:
        raise EditVerificationFailed(f"the new text could not be read: {error.message}") from error
    if not same_value(value, expected):
        raise EditVerificationFailed("the new text would have another value than it should")
    return text


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
    """Change a list whose entries were removed, added or changed in place; write any other one anew."""
    kept = 0
    removed = []
    for index, part in enumerate(present):
        if kept < len(value) and same_value(part, value[kept]):
            kept += 1
        else:
            removed.append(index)
    if kept == len(value) or (kept and not removed):
        for index in reversed(removed):
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
    spans = spans_of(text)
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
    """Add a member to the nearest container that exists; the containers between are made."""
    spans = spans_of(text)
    depth = len(path) - 1
    while path[:depth] not in spans:
        depth -= 1
    for key in reversed(path[depth + 1 :]):
        value = {key: value} if isinstance(key, str) else [value]
    if spans[path[:depth]].kind == "scalar":  # null: `with_value` refuses all others
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
    at = start + len(tail.rstrip(_NO_TEXT))  # after the comments
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
            if at == start:  # only blanks between the brackets
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
    return {own: span for own, span in spans.items() if len(own) == size + 1 and own[:size] == path}


def _unset(text: str, path: KeyPath) -> str:
    spans = spans_of(text)
    if path not in spans:
        raise NoSuchPath(f"there is nothing at {format_key_path(path)}")
    siblings = list(_children(spans, path[:-1]).items())
    index = [own for own, _ in siblings].index(path)
    span, box = spans[path], spans[path[:-1]]
    end, between = span.value_end, ""
    if span.comma is not None:
        end = span.comma + 1
        between = text[span.value_end : span.comma]
        if not between.strip(_NO_TEXT):
            between = ""  # unless comments are before the comma
    start = span.key_start
    after = end
    while after < len(text) and text[after] in BLANKS:
        after += 1
    if begins_line(text, start) and text[after : after + 1] in ("\r", "\n") and not between:
        start, end = _line_end_before(text, blanks_before(text, start)), after
    elif begins_line(text, start) or index + 1 < len(siblings):
        end = after
    else:
        start = blanks_before(text, start)
    kept = text[:start] + between + text[end:]
    closing = box.value_end - 1 - (end - start) + len(between)
    if index and span.comma is None:  # the one before is the last one now
        comma = siblings[index - 1][1].comma
        assert comma is not None
        kept, closing = kept[:comma] + kept[comma + 1 :], closing - 1
    inside = kept[box.value_start + 1 : closing]
    if not inside.strip(_NO_TEXT):
        kept = kept[: box.value_start + 1] + kept[closing:]
    return kept


def _line_end_before(text: str, at: int) -> int:
    """Return the offset of the line end that ends right before ``at``."""
    if text[at - 2 : at] == "\r\n":
        return at - 2
    return max(at - 1, 0)
