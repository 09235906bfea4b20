"""A document is read and changed as plain values, and never in place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from clawgate.settings.json5.document import (
    EditNotSupported,
    NoSuchPath,
    plain_copy,
    same_value,
    value_at,
    with_value,
    without_value,
)
from clawgate.settings.key_path import MAX_DEPTH, KeyPath

DOCUMENT: dict[str, Any] = {"a": {"list": [{"id": 1}, {"id": 2}], "80": "x"}, "b": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), DOCUMENT),
        (("a", "list", 1, "id"), 2),
        (("a", "list", "1", "id"), 2),
        (("a", 80), "x"),
        (("b",), None),
    ],
)
def test_a_value_is_found_by_key_and_by_index(path: KeyPath, value: object) -> None:
    assert value_at(DOCUMENT, path) == value


@pytest.mark.parametrize("path", [("c",), ("a", "list", 2), ("b", "x"), ("a", "80", 0)])
def test_a_path_that_leads_nowhere_raises(path: KeyPath) -> None:
    with pytest.raises(NoSuchPath):
        value_at(DOCUMENT, path)
    with pytest.raises(NoSuchPath):
        without_value(DOCUMENT, path)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True), (1, True, False), ([0], [False], False), (math.nan, math.nan, True),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True), ({"a": 1}, {"a": 1, "b": 2}, False), ([1], [1, 2], False),
    ],
)  # fmt: skip
def test_values_are_the_same_where_every_reader_takes_them_for_the_same(
    one: object, other: object, same: bool
) -> None:
    assert same_value(one, other) is same


def test_a_copy_has_what_json_can_express() -> None:
    assert plain_copy({"a": (1, None, True, 0.5, "x")}) == {"a": [1, None, True, 0.5, "x"]}


@pytest.mark.parametrize("value", [{1: 2}, object(), math.inf, math.nan, "\ud800", {"\udfff": 1}, [b"x"]])
def test_what_json_cannot_express_is_not_copied(value: object) -> None:
    with pytest.raises(EditNotSupported):
        plain_copy(value)


def test_a_value_nested_too_deep_is_not_copied() -> None:
    value: list[object] = []
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(EditNotSupported, match=f"more than {MAX_DEPTH}"):
        plain_copy(value)


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ((), 5), (("new", "deep"), {**DOCUMENT, "new": {"deep": 5}}), (("b", "x"), {**DOCUMENT, "b": {"x": 5}}),
        (("b", 0), {**DOCUMENT, "b": [5]}),
        (("a", "list", 2), {**DOCUMENT, "a": {**DOCUMENT["a"], "list": [{"id": 1}, {"id": 2}, 5]}}),
    ],
)  # fmt: skip
def test_a_value_is_set_with_the_containers_between(path: KeyPath, changed: object) -> None:
    before = repr(DOCUMENT)
    assert with_value(DOCUMENT, path, 5) == changed and repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("path", "says"),
    [(("a", "list", 3), "the next is"), (("a", "list", "x"), "a list"), (("a", "80", "x"), "not an obj")],
)
def test_a_value_without_a_parent_is_not_set(path: KeyPath, says: str) -> None:
    with pytest.raises(EditNotSupported, match=says):
        with_value(DOCUMENT, path, 5)


def test_a_member_and_an_element_are_removed() -> None:
    assert without_value(DOCUMENT, ("b",)) == {"a": DOCUMENT["a"]}
    assert without_value(DOCUMENT, ("a", "list", 0)) == {
        **DOCUMENT,
        "a": {**DOCUMENT["a"], "list": [{"id": 2}]},
    }
