"""Maps each value of a JSON5 text to its place: line and column for messages, exact characters for edits.

Strict, pure, and bounded in depth. What readers take differently (a duplicate key in one object) is an error here, so
that a text that is edited says the same to all of them.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import pyjson5

from clawgate.settings.key_path import MAX_DEPTH, KeyPath

MAX_NUMBER = 100
"""Characters of a number; a longer one is a mistake."""

MAX_VALUES = 50_000
"""Values in one text: bounds the time that a hostile one takes to about a second."""

_HEX = r"[0-9a-fA-F]"
_COMMA = "; a comma may be missing before it"
_BLANK = re.compile(
    r"(?:[\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]++"
    r"|//[^\n\r\u2028\u2029]*+|/\*[^*]*+\*++(?:[^*/][^*]*+\*++)*/)*"
)
_ESCAPE = rf"\\(?:u{_HEX}{{4}}|x{_HEX}{{2}}|0(?![0-9])|\r\n|[^ux0-9])"
_INSIDE = {
    '"': re.compile(rf'"(?:[^"\\\n\r]++|{_ESCAPE})*'),
    "'": re.compile(rf"'(?:[^'\\\n\r]++|{_ESCAPE})*"),
}
_NUMBER = re.compile(
    rf"[+-]?(?:Infinity|NaN|0[xX]{_HEX}++|(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)"
    r"(?![\w$.])"
)
_WORD = re.compile(r"(?:true|false|null)(?![\w$])")
_NAME = re.compile(rf"(?:[$_]|[^\W\d]|\\u{_HEX}{{4}})(?:[$\w\u0300-\u036f\u200c\u200d]|\\u{_HEX}{{4}})*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Span:
    """One value. All but ``line`` and ``column`` are offsets in characters into the text; ends are exclusive.

    An element of a list, and the whole, have no key: ``key_start == key_end == value_start``. A container's brackets
    are at ``value_start`` and ``value_end - 1``. ``comma`` is the place of the comma behind the value, None without
    one. ``line`` and ``column`` are those of the key, or of the value where there is none, and count from 1.
    """

    key_start: int
    key_end: int
    value_start: int
    value_end: int
    comma: int | None
    kind: Literal["object", "array", "scalar"]
    line: int
    column: int


class InvalidJson5(ValueError):
    """The text is not JSON5. The message shows one character of it at most."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class DuplicateKey(InvalidJson5):
    """One object has a key twice: readers differ in which of the two counts."""


@dataclass(frozen=True, slots=True)
class DuplicateKeyAt:
    """A key that its object has more than once: the line of the first, and the place of the next."""

    path: KeyPath
    first_line: int
    line: int
    column: int

    @property
    def message(self) -> str:
        return f"duplicate key, first set on line {self.first_line}"


@dataclass(frozen=True, slots=True)
class SourceMap:
    """All spans in the order of the text (a container before what is in it), and every duplicate key.

    The span of a duplicate key is the later one's; what was in the earlier one may be among ``spans`` too.
    """

    spans: Mapping[KeyPath, Span]
    duplicates: tuple[DuplicateKeyAt, ...]


def spans_of(text: str) -> Mapping[KeyPath, Span]:
    """Return the span of every value. Raises `InvalidJson5`, for a duplicate key `DuplicateKey`."""
    found = source_map(text)
    for duplicate in found.duplicates:
        raise DuplicateKey(duplicate.message, duplicate.line, duplicate.column)
    return found.spans


def nearest_position(spans: Mapping[KeyPath, Span], path: KeyPath) -> tuple[int, int]:
    """Return line and column of a key path, or of its nearest parent among ``spans``; (1, 1) if there is none."""
    while path and path not in spans:
        path = path[:-1]
    return (spans[path].line, spans[path].column) if path in spans else (1, 1)


def source_map(text: str) -> SourceMap:
    """Return the spans of a text and its duplicate keys. Raises `InvalidJson5`."""
    reader = _Reader(text)
    reader.document()
    return SourceMap(reader.spans, tuple(reader.duplicates))


class _Reader:
    """One pass over one text. Each method takes the offset of its part and returns the offset after it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: dict[KeyPath, Span] = {}
        self.duplicates: list[DuplicateKeyAt] = []
        lines = text.replace("\r\n", " \n").replace("\r", "\n").split("\n")  # of the same length as it was
        self._line_starts = [0, *accumulate(len(line) + 1 for line in lines[:-1])]
        if text.startswith("\ufeff"):
            self._line_starts[0] = 1  # no editor shows the byte order mark

    def position(self, at: int) -> tuple[int, int]:
        line = max(bisect_right(self._line_starts, at), 1)
        return line, max(at - self._line_starts[line - 1], 0) + 1

    def error(self, message: str, at: int) -> InvalidJson5:
        return InvalidJson5(message, *self.position(at))

    def unexpected(self, at: int, hint: str = "") -> InvalidJson5:
        character = self.text[at : at + 1]
        if not character:
            return self.error("the text ends too early", at)
        if self.text.startswith("/*", at):
            return self.error("a comment is not closed", at)
        return self.error(f"unexpected {character!r}{hint}", at)

    def blank(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def document(self) -> None:
        at = self.blank(0)
        if at == len(self.text):
            raise self.error("the text is empty", 0)
        end = self.blank(self.value((), at, at, at, 0))
        if end < len(self.text):
            raise self.unexpected(end)

    def value(self, path: KeyPath, key_start: int, key_end: int, at: int, depth: int) -> int:
        """Read a value and the comma after it, if there is one."""
        line, column = self.position(key_start)
        first = self.text[at : at + 1]
        kind: Literal["object", "array", "scalar"] = "scalar"
        if first == "{" or first == "[":
            if depth == MAX_DEPTH:
                raise self.error(f"nested more than {MAX_DEPTH} deep", at)
            kind = "object" if first == "{" else "array"
            self.spans[path] = Span(key_start, key_end, at, at, None, kind, line, column)  # before its parts
            inside = self.members if first == "{" else self.elements
            end = inside(path, at + 1, depth + 1)
        elif first == '"' or first == "'":
            end = self.string(at)
        elif match := _NUMBER.match(self.text, at):
            end = match.end()
            self.check_number(match[0], at)
        elif match := _WORD.match(self.text, at):
            end = match.end()
        else:
            raise self.unexpected(at)
        if len(self.spans) > MAX_VALUES:
            raise self.error(f"more than {MAX_VALUES} values", at)
        after = self.blank(end)
        comma = after if path and self.text.startswith(",", after) else None
        self.spans[path] = Span(key_start, key_end, at, end, comma, kind, line, column)
        return after if comma is None else self.blank(comma + 1)

    def members(self, path: KeyPath, at: int, depth: int) -> int:
        at = self.blank(at)
        names: dict[str, int] = {}
        while not self.text.startswith("}", at):
            name, key_end = self.name(at)
            colon = self.blank(key_end)
            if not self.text.startswith(":", colon):
                raise self.unexpected(colon)
            own = (*path, name)
            if name in names:
                self.duplicates.append(DuplicateKeyAt(own, self.position(names[name])[0], *self.position(at)))
            names.setdefault(name, at)
            at = self.value(own, at, key_end, self.blank(colon + 1), depth)
            if self.spans[own].comma is None and not self.text.startswith("}", at):
                raise self.unexpected(at, _COMMA)
        return at + 1

    def elements(self, path: KeyPath, at: int, depth: int) -> int:
        at = self.blank(at)
        count = 0
        while not self.text.startswith("]", at):
            own = (*path, count)
            at = self.value(own, at, at, at, depth)
            if self.spans[own].comma is None and not self.text.startswith("]", at):
                raise self.unexpected(at, _COMMA)
            count += 1
        return at + 1

    def name(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] in ('"', "'"):
            end = self.string(at)
            plain = self.text[at + 1 : end - 1]
        elif match := _NAME.match(self.text, at):
            end, plain = match.end(), match[0]
        else:
            raise self.unexpected(at)
        if "\\" not in plain:
            return plain, end
        quote = "'" if self.text[at] == "'" else '"'
        return str(self.decoded(f"{quote}{plain}{quote}", at)), end

    def string(self, at: int) -> int:
        quote = self.text[at]
        match = _INSIDE[quote].match(self.text, at)
        end = match.end() if match else at + 1
        if not self.text.startswith(quote, end):
            if self.text.startswith("\\", end) and end + 1 < len(self.text):
                raise self.error("unexpected '\\\\': no such escape", end)
            raise self.error(f"a string is not closed: it begins with {quote} here", at)
        if match and _SURROGATE.search(match[0]):
            self.decoded(self.text[at : end + 1], at)
        return end + 1

    def decoded(self, literal: str, at: int) -> object:
        try:
            return pyjson5.decode(literal)
        except pyjson5.Json5Exception:
            raise self.error("an escape is a lone surrogate, half of a character", at) from None

    def check_number(self, number: str, at: int) -> None:
        if len(number) > MAX_NUMBER:
            raise self.error(f"a number has more than {MAX_NUMBER} characters", at)
        if "e" in number.lower() and "x" not in number.lower() and math.isinf(float(number)):
            raise self.error("a number is too large", at)
