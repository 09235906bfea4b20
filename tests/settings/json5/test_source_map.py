"""Spans are exact, and what readers could take differently is refused with its place."""

from __future__ import annotations

import pytest

from clawgate.settings.json5.source_map import (
    MAX_VALUES,
    DuplicateKey,
    InvalidJson5,
    nearest_position,
    source_map,
    spans_of,
)
from clawgate.settings.key_path import MAX_DEPTH

TEXT = """{
  // a comment, with "quotes": 1
  models: {
    'odd key': [1, {b: "x",},],
  },
  last: -0x1F
}
"""


def test_every_value_has_a_span_from_its_first_to_its_last_character() -> None:
    found = {
        path: (TEXT[span.key_start : span.key_end], TEXT[span.value_start : span.value_end])
        for path, span in spans_of(TEXT).items()
    }
    assert found == {
        (): ("", TEXT.strip()),
        ("models",): ("models", "{\n    'odd key': [1, {b: \"x\",},],\n  }"),
        ("models", "odd key"): ("'odd key'", '[1, {b: "x",},]'),
        ("models", "odd key", 0): ("", "1"),
        ("models", "odd key", 1): ("", '{b: "x",}'),
        ("models", "odd key", 1, "b"): ("b", '"x"'),
        ("last",): ("last", "-0x1F"),
    }


def test_a_container_comes_before_what_is_in_it() -> None:
    order = list(spans_of(TEXT))
    assert all(order.index(path[:-1]) < order.index(path) for path in order if path)


def test_the_comma_behind_a_value_is_known() -> None:
    spans = spans_of("{a: 1 /* , */ , b: [2,\n3]}")
    assert [spans[path].comma for path in (("a",), ("b",), ("b", 0), ("b", 1), ())] == [
        14,
        None,
        21,
        None,
        None,
    ]


def test_kinds() -> None:
    spans = spans_of('{a: {}, b: [], c: "{", d: null}')
    assert [spans[(key,)].kind for key in "abcd"] == ["object", "array", "scalar", "scalar"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_and_columns_count_from_one_with_every_line_end(end: str) -> None:
    text = TEXT.replace("\n", end)
    assert nearest_position(source_map(text).spans, ("models", "odd key", 1, "b")) == (4, 21)
    assert nearest_position(source_map(text).spans, ("last",)) == (6, 3)


def test_a_byte_order_mark_moves_no_column() -> None:
    assert (
        nearest_position(spans_of("\ufeff{a: 1}"), ("a",))
        == (1, 2)
        == nearest_position(spans_of("{a: 1}"), ("a",))
    )


def test_what_is_not_there_is_where_its_parent_is() -> None:
    assert nearest_position(spans_of(TEXT), ("models", "none", 3, "x")) == (3, 3)
    assert nearest_position({}, ("a", 1)) == (1, 1)


def test_keys_are_told_apart_by_what_they_mean() -> None:
    assert list(spans_of("{\"\\u0061\": 1, \\u0062: 2, 'c\\'': 3}")) == [(), ("a",), ("b",), ("c'",)]


def test_a_key_that_is_there_twice_is_told_with_both_lines_however_it_is_written() -> None:
    text = '{\n"a": 1,\n\\u0061: {x: 1, x: 2}\n}'
    found = [(one.path, one.first_line, one.line) for one in source_map(text).duplicates]
    assert found == [(("a",), 2, 3), (("a", "x"), 3, 3)]
    with pytest.raises(DuplicateKey, match="on line"):
        spans_of(text)


def test_one_key_in_two_objects_is_not_there_twice() -> None:
    assert source_map("[{a: 1}, {a: {a: 2}}]").duplicates == ()


def test_depth_has_a_limit_and_it_is_exact() -> None:
    assert len(spans_of("[" * MAX_DEPTH + "]" * MAX_DEPTH)) == MAX_DEPTH
    with pytest.raises(InvalidJson5, match=f"nested more than {MAX_DEPTH} deep"):
        spans_of("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(InvalidJson5, match="nested more"):
        spans_of('{"a":' * 100_000)


def test_the_number_of_values_has_a_limit() -> None:
    with pytest.raises(InvalidJson5, match=f"more than {MAX_VALUES} values"):
        spans_of("[" + "1," * (MAX_VALUES + 5) + "]")


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "empty"), (" \n ", 1, 1, "empty"), ("// only\n", 1, 1, "empty"),
        ("{", 1, 2, "ends too early"), ("[1", 1, 3, "ends too early"), ("{a:", 1, 4, "ends too early"),
        ("{\n a 1}", 2, 4, "'1'"), ("{a: 1 b: 2}", 1, 7, "'b'"), ("[1,,2]", 1, 4, "','"), ("[,]", 1, 2, "','"),
        ("{a: 1,,}", 1, 7, "','"), ("{} x", 1, 4, "'x'"), ("{}{}", 1, 3, "'{'"), ("[1}", 1, 3, "'}'"),
        ("{1: 2}", 1, 2, "'1'"), ("{a-b: 1}", 1, 3, "'-'"), ("[undefined]", 1, 2, "'u'"), ("[nulls]", 1, 2, "'n'"),
        ("[01]", 1, 2, "'0'"), ("[1_0]", 1, 2, "'1'"), ("[.]", 1, 2, "'.'"), ("[1e]", 1, 2, "'1'"),
        ("[0x]", 1, 2, "'0'"), ("[- 1]", 1, 2, "'-'"), ("[1e999]", 1, 2, "too large"),
        ("[" + "9" * 101 + "]", 1, 2, "100 characters"), ("[0x" + "f" * 99 + "]", 1, 2, "100 characters"),
        ("['a\nb']", 1, 2, "not closed"), ('{a: "x}', 1, 5, "not closed"), ('["a\\', 1, 2, "not closed"),
        ('["\\u12"]', 1, 3, "escape"), ('["\\x1"]', 1, 3, "escape"), ('["\\8"]', 1, 3, "escape"),
        ('["\\01"]', 1, 3, "escape"), ('["\\ud800"]', 1, 2, "surrogate"), ('{"\\udc00": 1}', 1, 2, "surrogate"),
        ("{a: 1} /* x", 1, 8, "comment"), ("[1]\0", 1, 4, "x00"), ("#", 1, 1, "'#'"),
    ],
)  # fmt: skip
def test_what_is_not_json5_is_refused_where_it_goes_wrong(
    text: str, line: int, column: int, says: str
) -> None:
    with pytest.raises(InvalidJson5) as caught:
        spans_of(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["+1", "-.5", "5.", "1.e3", "-Infinity", "NaN", "0X1f", "'\\\n'", "'\u2028'", '"\\ud83d\\ude00"', "{if: 1}",
     "{$_a1: 1, \u00fcn\u00ef: 2}", "{\u00a0a: 1\u2028}", "[1,]", "'\\v\\0\\q'", "/* * **/ true // end"],
)  # fmt: skip
def test_all_that_json5_allows_is_read(text: str) -> None:
    assert () in spans_of(text)
