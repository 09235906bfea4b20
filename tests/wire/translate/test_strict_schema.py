"""A schema is strict where OpenAI accepts it so, by its own rules, and never where its meaning would change."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.strict_schema import strict_form

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def of(schema: Any, **more: Any) -> dict[str, Any]:
    """Return an object with the one property ``a``."""
    return {**CLOSED, "properties": {"a": schema}, **more}


ACCEPTED: list[Any] = [
    {"type": "string", "pattern": "^a", "description": "d", "title": "t"},
    {"type": ["string", "null"], "format": "date-time"},
    {"type": "array", "items": {"type": "number", "minimum": 1, "multipleOf": 2}, "minItems": 1},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"enum": ["a", 1]}, {"const": 5},
    CLOSED,
]  # fmt: skip


@pytest.mark.parametrize("schema", ACCEPTED)
def test_what_openai_accepts_is_strict_as_it_is(schema: Any) -> None:
    assert strict_form(of(schema)) == of(schema)


def test_definitions_may_refer_to_each_other() -> None:
    tree = of(
        {"$ref": "#/$defs/n"}, **{"$defs": {"n": of({"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]})}}
    )
    assert strict_form(tree) == tree


def test_objects_are_closed_and_annotations_left_out() -> None:
    opened = {name: value for name, value in CLOSED.items() if name != "additionalProperties"}
    assert strict_form({**of(opened), "$schema": "https://json-schema.org/draft/2020-12/schema"}) == of(
        CLOSED
    )
    assert strict_form({"type": "object"}) == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


REJECTED: list[Any] = [
    True,
    {},
    {"type": "text"},
    {"type": 5},
    {"type": [5]},
    {"type": "string", "minLength": 1},
    {"type": "string", "default": "a"},
    {"type": "string", "format": "uri"},
    {"type": "array"},
    {"type": "array", "items": [{"type": "string"}]},
    {"type": "string", "items": {"type": "string"}},
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": 5},
    {"type": "object", "properties": {}, "required": 5},
    {"properties": {"b": {"type": "string"}}, "enum": [1]},
    {**CLOSED, "required": []},
    {**CLOSED, "additionalProperties": True},
    {**CLOSED, "required": ["a", "b"]},
    {"allOf": [{"type": "string"}]},
    {"oneOf": [{"type": "string"}]},
    {"not": {"type": "string"}},
    {"anyOf": []},
    {"anyOf": 5},
    {"anyOf": [{"type": "string", "minLength": 1}]},
    {"$ref": "#/$defs/n", "description": "d"},
    {"enum": 5},
]


@pytest.mark.parametrize("schema", REJECTED)
def test_what_openai_rejects_is_not_strict(schema: Any) -> None:
    assert strict_form(of(schema)) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"anyOf": [CLOSED]},
        {**CLOSED, "anyOf": [CLOSED]},
        {**CLOSED, "$defs": 5},
    ],
)
def test_the_root_is_an_object_of_its_own(schema: dict[str, Any]) -> None:
    assert strict_form(schema) is None


def test_what_is_larger_than_openai_allows_is_not_strict() -> None:
    deep: dict[str, Any] = CLOSED
    for _ in range(10):
        deep = of(deep)
    assert strict_form(deep) is None
    assert strict_form(of({"enum": list(range(1001))})) is None
    assert strict_form(of({"enum": ["a" * 120_001]})) is None
    wide = {f"p{number}": {"type": "string"} for number in range(5001)}
    assert strict_form({"type": "object", "properties": wide, "required": list(wide)}) is None
    endless: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        endless = {"anyOf": [endless]}
    assert strict_form(of(endless)) is None
