"""Any JSON5 text, any place in it, any value: what is set is there afterwards, and all else is as it was."""

from __future__ import annotations

import re
from typing import Any

import pyjson5
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawgate.settings.json5.document import EditNotSupported, same_value, value_at
from clawgate.settings.json5.edit import set_value, unset_value
from clawgate.settings.json5.source_map import spans_of
from clawgate.settings.key_path import KeyPath

KEYS = st.sampled_from(["a", "b", "gateway", "$x", "openai/gpt-4.1", "a b", "0", "ключ", "it's", 'q"q'])
LINE_END = st.sampled_from(["\n", "\r\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "-0x1F",
        "+.5",
        "1e3",
        "true",
        "null",
        '"x"',
        "'y'",
        '"//no"',
        "'/*no*/'",
        r"'\"}]\''",
        "'a\\\nb'",
        "Infinity",
    ]
)
TEXTS = st.sampled_from(["", "x", "//", "\u2028", "'\"\\", "é\n"])
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
COMMENT = re.compile(r"(/\*<\d+>\*/|//<\d+>)")


class Writer:
    """Somebody who writes JSON5 by hand, in any style and with comments anywhere, each with its own number."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.line_end = data.draw(LINE_END)
        self.comma_behind_the_last = data.draw(st.booleans())
        self.comments = 0

    def blank(self) -> str:
        text = ""
        for _ in range(self.data.draw(st.integers(0, 2))):
            kind = self.data.draw(st.sampled_from([" ", "  ", "\t", "line", "/**/", "//", "\ufeff"]))
            self.comments += kind in ("/**/", "//")
            text += {
                "line": self.line_end,
                "/**/": f"/*<{self.comments}>*/",
                "//": f"//<{self.comments}>{self.line_end}",
            }.get(kind, kind)
        return text

    def key(self, name: str) -> str:
        plain = re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII) is not None
        quote = self.data.draw(st.sampled_from(["", '"', "'"] if plain else ['"', "'"]))
        inner = name.replace(quote, f"\\{quote}") if quote else name
        return f"{quote}{inner}{quote}"

    def value(self, depth: int) -> str:
        kind = self.data.draw(st.sampled_from(["scalar", "object", "array"])) if depth < 3 else "scalar"
        if kind == "scalar":
            scalar: str = self.data.draw(SCALARS)
            return scalar
        return self.container(kind, depth)

    def container(self, kind: str, depth: int) -> str:
        if kind == "object":
            names: list[str] = self.data.draw(st.lists(KEYS, max_size=3, unique=True))
            parts = [
                f"{self.key(name)}{self.blank()}:{self.blank()}{self.value(depth + 1)}" for name in names
            ]
        else:
            parts = [self.value(depth + 1) for _ in range(self.data.draw(st.integers(0, 3)))]
        inside = ",".join(f"{self.blank()}{part}{self.blank()}" for part in parts)
        inside += "," if parts and self.comma_behind_the_last else ""
        return f"{'{['[kind == 'array']}{inside}{self.blank()}{'}]'[kind == 'array']}"

    def text(self) -> str:
        mark = self.data.draw(st.sampled_from(["", "\ufeff"]))
        return f"{mark}{self.blank()}{self.container('object', 0)}{self.blank()}"


def outside(text: str, path: KeyPath) -> list[str]:
    """Every value that stands neither at ``path`` nor around nor within it, as it is written."""
    return [
        text[span.value_start : span.value_end]
        for found, span in spans_of(text).items()
        if found[: len(path)] != path and path[: len(found)] != found
    ]


def comments(text: str, path: KeyPath | None = None) -> list[str]:
    """The comments in their order, without those within the member at ``path``."""
    if path is not None:
        span = spans_of(text)[path]
        text = text[: span.key_start] + text[span.value_end :]
    return COMMENT.findall(text)


def bare(text: str) -> str:
    """Without blanks and line ends."""
    return "".join(text.split()).replace("\ufeff", "")


PROFILE = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@PROFILE
@given(st.data())
def test_what_is_replaced_leaves_every_other_byte_alone(data: st.DataObject) -> None:
    """The text before the value and behind it is the same; only a value of the same kind is changed within."""
    text = Writer(data).text()
    spans = spans_of(text)
    path = data.draw(st.sampled_from(sorted(spans, key=repr)))
    value = data.draw(VALUES)
    if path == () and not isinstance(value, dict):
        value = {"a": value}
    new = set_value(text, path, value)
    assert same_value(value_at(pyjson5.decode(new), path), value)
    old, now = spans[path], spans_of(new)[path]
    assert new[: now.value_start] == text[: old.value_start]
    assert new[now.value_end :] == text[old.value_end :]


@PROFILE
@given(st.data())
def test_what_is_new_leaves_every_other_byte_alone(data: st.DataObject) -> None:
    """Take the new member and at most one comma away, and the old text is there, blanks apart."""
    text = Writer(data).text()
    spans = spans_of(text)
    boxes = [path for path, span in spans.items() if span.kind != "scalar"]
    box = data.draw(st.sampled_from(sorted(boxes, key=repr)))
    size = sum(len(path) == len(box) + 1 and path[: len(box)] == box for path in spans)
    tail: KeyPath = ("new",) if spans[box].kind == "object" else (size,)
    if data.draw(st.booleans()):
        tail = (*tail, "between", 0, "x")
    value = data.draw(VALUES)
    new = set_value(text, (*box, *tail), value)
    assert same_value(value_at(pyjson5.decode(new), (*box, *tail)), value)
    assert outside(new, (*box, tail[0])) == outside(text, (*box, tail[0]))
    assert comments(new) == comments(text)
    gone = unset_value(new, (*box, tail[0]))
    assert bare(gone) == bare(text)


@PROFILE
@given(st.data())
def test_what_is_unset_takes_nothing_else_along(data: st.DataObject) -> None:
    """Neither another value nor a comment outside of it."""
    text = Writer(data).text()
    spans = spans_of(text)
    paths = sorted((path for path in spans if path), key=repr)
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    new = unset_value(text, path)
    expected: Any = pyjson5.decode(text)
    del value_at(expected, path[:-1])[path[-1]]  # type: ignore[arg-type,union-attr]  # both are what the path says
    assert same_value(pyjson5.decode(new), expected)
    assert comments(new) == comments(text, path)
    rest = text[: spans[path].key_start] + text[spans[path].value_end :]
    assert bare(new).replace(",", "") == bare(rest).replace(",", "")


@PROFILE
@given(st.text(st.sampled_from("{}[]:,'\"a0 \n/*\\"), max_size=20), KEYS, VALUES)
def test_any_text_is_edited_rightly_or_refused(text: str, key: str, value: object) -> None:
    """Refusals are of a kind that the caller knows."""
    try:
        new = set_value(text, (key,), value)
    except (EditNotSupported, ValueError):
        return
    assert same_value(value_at(pyjson5.decode(new), (key,)), value)
