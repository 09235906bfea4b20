"""Detects the style of a JSON5 text, and writes new values in it.

Pure. Where the new text goes is decided by `settings.json5.edit`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from clawgate.settings.json5.document import Plain
from clawgate.settings.json5.source_map import Span
from clawgate.settings.key_path import KeyPath

LINE_BREAKS = "\n\r\u2028\u2029"
BLANKS = "\t\v\f \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\ufeff"
_BREAK = re.compile(f"[{LINE_BREAKS}]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_LONGEST_LINE = 80
_DEFAULT_UNIT = "  "


@dataclass(frozen=True, slots=True)
class Style:
    """``key_quote`` is empty where keys that need no quotes have none; ``unit`` is one step of indentation.

    ``line_end`` is empty for a text of one line; ``compact``: short values are written on one line; ``trailing``: the
    last member has a comma too.
    """

    key_quote: str = '"'
    quote: str = '"'
    unit: str = _DEFAULT_UNIT
    line_end: str = "\n"
    compact: bool = False
    trailing: bool = False

    def key(self, name: str) -> str:
        if not self.key_quote and _IDENTIFIER.match(name):
            return name
        return quoted(name, self.key_quote or self.quote)

    def value(self, value: Plain, indent: str, *, in_line: bool = False) -> str:
        """Return a value as it is written; ``indent`` is that of its first line. Numbers must be finite."""
        if not isinstance(value, dict | list):
            return scalar(value, self.quote)
        if not value:
            return "{}" if isinstance(value, dict) else "[]"
        if in_line or not self.line_end:
            return self._in_line(value)
        if self.compact and not any(isinstance(part, dict | list) and part for part in parts(value)):
            text = self._in_line(value)
            if len(indent) + len(text) <= _LONGEST_LINE:
                return text
        inner = indent + self.unit
        if isinstance(value, dict):
            lines = [f"{self.key(name)}: {self.value(part, inner)}" for name, part in value.items()]
        else:
            lines = [self.value(part, inner) for part in value]
        first, last = "{}" if isinstance(value, dict) else "[]"
        body = f",{self.line_end}{inner}".join(lines) + ("," if self.trailing else "")
        return f"{first}{self.line_end}{inner}{body}{self.line_end}{indent}{last}"

    def _in_line(self, value: dict[str, Plain] | list[Plain]) -> str:
        if isinstance(value, dict):
            inside = ", ".join(
                f"{self.key(name)}: {self.value(part, '', in_line=True)}" for name, part in value.items()
            )
            return f"{{ {inside} }}" if not self.key_quote else f"{{{inside}}}"
        return f"[{', '.join(self.value(part, '', in_line=True) for part in value)}]"


def parts(value: dict[str, Plain] | list[Plain]) -> Iterable[Plain]:
    return value.values() if isinstance(value, dict) else value


def quoted(text: str, quote: str) -> str:
    literal = json.dumps(text, ensure_ascii=False)
    if quote == '"':
        return literal
    return "'" + literal[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def scalar(value: bool | int | float | str | None, quote: str) -> str:
    """Return a value that is no container in JSON5. Raises ValueError for a number that is not finite."""
    if isinstance(value, str):
        return quoted(value, quote)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number must be finite")
    return json.dumps(value)


def begins_line(text: str, at: int) -> bool:
    """Return whether only blanks are before ``at`` on its line."""
    start = blanks_before(text, at)
    return start == 0 or text[start - 1] in LINE_BREAKS


def indent_at(text: str, at: int) -> str:
    """Return the blanks at the beginning of the line of ``at``."""
    start = at
    while start and text[start - 1] not in LINE_BREAKS:
        start -= 1
    end = start
    while end < at and text[end] in "\t ":
        end += 1
    return text[start:end]


def has_break(text: str) -> bool:
    return _BREAK.search(text) is not None


def blanks_before(text: str, at: int) -> int:
    """Return the offset where the blanks before ``at`` begin."""
    while at and text[at - 1] in BLANKS:
        at -= 1
    return at


def style_of(text: str, spans: Mapping[KeyPath, Span]) -> Style:
    root = spans[()]
    line_end = _LINE_END.search(text)
    lasts: dict[KeyPath, tuple[Span, Span]] = {}
    unit = ""
    for path, span in spans.items():
        if path:
            parent = spans[path[:-1]]
            lasts[path[:-1]] = parent, span
            if not unit and begins_line(text, span.key_start):
                outer, inner = indent_at(text, parent.key_start), indent_at(text, span.key_start)
                unit = inner.removeprefix(outer) if inner.startswith(outer) else ""
    in_lines = has_break(text[root.value_start : root.value_end]) or len(lasts) == 0
    strings = [text[span.value_start] for span in spans.values() if text[span.value_start] in "\"'"]
    key_quote = _key_quote(text, spans, '"')
    return Style(
        key_quote=key_quote,
        quote=strings[0] if strings else key_quote or '"',
        unit=unit or _DEFAULT_UNIT,
        line_end=(line_end[0] if line_end else "\n") if in_lines else "",
        compact=any(not has_break(text[box.value_start : box.value_end]) for box, _ in lasts.values()),
        trailing=any(
            last.comma is not None and has_break(text[last.value_end : box.value_end])
            for box, last in lasts.values()
        ),
    )


def _key_quote(text: str, spans: Mapping[KeyPath, Span], default: str) -> str:
    """Return the quote of the last key that could have been written without one, so that its quotes are a choice."""
    for path, span in reversed(list(spans.items())):
        name = path[-1] if span.key_end > span.key_start else None
        if isinstance(name, str) and _IDENTIFIER.match(name):
            return text[span.key_start] if text[span.key_start] in "\"'" else ""
    return default


def sibling_style(style: Style, text: str, siblings: Mapping[KeyPath, Span]) -> Style:
    """Return ``style`` with the choices of one object: its quotes of keys, its comma after the last member."""
    key_quote = _key_quote(text, siblings, style.key_quote)
    last = list(siblings.values())[-1:]
    return replace(style, key_quote=key_quote, trailing=last[0].comma is not None if last else style.trailing)
