"""What is new in a text looks like the rest of it."""

from __future__ import annotations

import pyjson5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.settings.json5.source_map import spans_of
from clawgate.settings.json5.style import (
    Style,
    begins_line,
    indent_at,
    quoted,
    scalar,
    sibling_style,
    style_of,
)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("{}", Style()),
        ('{\n  "a": 1\n}', Style()),
        ("{\n    a: 'x',\n}", Style(key_quote="", quote="'", unit="    ", trailing=True)),
        ("{\r\n\t'a': 1\r\n}", Style(key_quote="'", quote="'", unit="\t", line_end="\r\n")),
        ("{a: 1}", Style(key_quote="", line_end="", compact=True)),
        ("{a: 1,}", Style(key_quote="", line_end="", compact=True)),
        ('{\n "a/b": {c: 1}\n}', Style(key_quote="", unit=" ", compact=True)),
        ('{\n  // \'\n  a: "x"\n}', Style(key_quote="")),
    ],
)
def test_the_style_of_a_text_is_seen(text: str, style: Style) -> None:
    assert style_of(text, spans_of(text)) == style


def test_the_siblings_have_the_last_word() -> None:
    """An object may be written otherwise than the rest."""
    text = "{\n  a: {\n    'b': 1\n  },\n  c: 1,\n}"
    spans = spans_of(text)
    found = sibling_style(style_of(text, spans), text, {("a", "b"): spans["a", "b"]})
    assert (found.key_quote, found.trailing) == ("'", False)


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [
        (Style(), {}, "{}"),
        (Style(), [], "[]"),
        (Style(), {"a": [1]}, '{\n    "a": [\n      1\n    ]\n  }'),
        (Style(compact=True), {"a": [1, {}]}, '{\n    "a": [1, {}]\n  }'),
        (Style(compact=True, key_quote=""), {"a": "x"}, '{ a: "x" }'),
        (Style(compact=True), ["x" * 90], '[\n    "' + "x" * 90 + '"\n  ]'),
        (Style(line_end=""), {"a": {"b": [1, 2]}}, '{"a": {"b": [1, 2]}}'),
        (Style(trailing=True, key_quote=""), {"a": 1, "b-c": 2}, '{\n    a: 1,\n    "b-c": 2,\n  }'),
    ],
)
def test_a_value_is_written_in_the_style(
    style: Style, value: dict[str, object] | list[object], text: str
) -> None:
    assert style.value(value, "  ") == text  # type: ignore[arg-type]  # a plain value, as the type says less tersely


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, st.sampled_from("'\""))
def test_any_text_can_be_quoted_either_way(text: str, quote: str) -> None:
    found = quoted(text, quote)
    assert found[0] == found[-1] == quote and pyjson5.decode(found) == text


@given(TEXTS, st.sampled_from(["", "'", '"']))
def test_any_text_can_be_a_key(name: str, quote: str) -> None:
    found = Style(key_quote=quote).key(name)
    assert pyjson5.decode(f"{{{found}: 1}}") == {name: 1}


def test_what_json_has_no_word_for_is_refused() -> None:
    assert [scalar(value, '"') for value in (None, True, 1, 1.5, "x")] == ["null", "true", "1", "1.5", '"x"']
    with pytest.raises(ValueError, match="finite"):
        scalar(float("inf"), '"')


def test_the_beginning_of_a_line_is_seen() -> None:
    text = "{\n \ta: 1, b: 2\u2028  c: 3}"
    assert begins_line(text, text.index("a")) and begins_line(text, text.index("c")) and begins_line(text, 0)
    assert not begins_line(text, text.index("b"))
    assert (indent_at(text, text.index("b")), indent_at(text, text.index("c"))) == (" \t", "  ")
