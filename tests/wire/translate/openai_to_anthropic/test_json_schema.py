"""A schema becomes one that Anthropic accepts, as Anthropic's own SDK makes it, and no schema ends in a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.translate.openai_to_anthropic.json_schema import (
    FORMATS,
    MAX_DEPTH,
    SchemaTooDeep,
    accepted_schema,
    is_expressible,
)

KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "minItems", "enum", "const", "anyOf", "allOf",
    "$ref", "$defs", "definitions", "description", "title", "format",
}  # fmt: skip
"""What Anthropic's documentation of structured outputs accepts."""


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every schema within a schema."""
    yield schema
    within = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    within += [schema["items"]] if "items" in schema else []
    for name in ("properties", "$defs", "definitions"):
        within += schema.get(name, {}).values()
    for one in within:
        yield from schemas_in(one)


def check_accepted(schema: dict[str, Any]) -> None:
    for one in schemas_in(schema):
        assert one.keys() <= KEYWORDS
        kinds = one.get("type", "")
        assert "$ref" in one or "anyOf" in one or "allOf" in one or "enum" in one or "const" in one or kinds
        if "object" in kinds or "properties" in one:
            assert one["additionalProperties"] is False and isinstance(one["properties"], dict)
        assert one.get("minItems", 0) in (0, 1) and one.get("format", "date") in FORMATS


NAMES = st.sampled_from(["a", "b", "type", "properties", "$ref?"])
NOTES = st.fixed_dictionaries(
    {}, optional={"description": st.sampled_from(["d", "e"]), "title": st.just("t")}
)
LEAVES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.integers(), "exclusiveMaximum": st.integers(), "multipleOf": st.just(2)},
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 9), "pattern": st.just("^a$"),
            "format": st.sampled_from(["date", "uuid", "color"]),
        },
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["boolean", "null"])}, optional={"default": st.booleans()}),
    st.fixed_dictionaries(
        {"enum": st.lists(st.one_of(st.text(max_size=2), st.integers(), st.none()), min_size=1)},
        optional={"type": st.just("string")},
    ),
    st.fixed_dictionaries({"const": st.sampled_from(["x", 1, None])}),
    st.just({"$ref": "#/$defs/a"}),
)  # fmt: skip


def _grown(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
            optional={
                "required": st.lists(NAMES, max_size=2), "additionalProperties": st.one_of(st.booleans(), inner),
                "maxProperties": st.integers(0, 9),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={"items": inner, "minItems": st.integers(0, 3), "uniqueItems": st.booleans()},
        ),
        *(st.fixed_dictionaries({name: several}) for name in ("anyOf", "oneOf", "allOf")),
    )  # fmt: skip


TYPED = st.recursive(st.builds(lambda leaf, notes: leaf | notes, LEAVES, NOTES), _grown, max_leaves=8)
"""Schemas that the SDK can rewrite."""


def without_notes(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a rewritten schema without descriptions, whose spelling is our own."""
    copied = copy.deepcopy(schema)
    for one in schemas_in(copied):
        one.pop("description", None)
    return copied


@given(TYPED)
def test_the_result_is_that_of_the_sdk(schema: dict[str, Any]) -> None:
    made = accepted_schema(schema)
    theirs: dict[str, Any] = transform_schema(copy.deepcopy(schema))
    assert without_notes(made) == without_notes(theirs)
    noted = ["description" in one for one in schemas_in(theirs)]
    assert ["description" in one for one in schemas_in(made)] == noted
    check_accepted(made)


def test_what_is_not_enforced_moves_into_the_description() -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 9, "description": "A number"}
    assert accepted_schema(number) == {
        "type": "integer",
        "description": "A number\n\n{minimum: 1, maximum: 9}",
    }
    assert accepted_schema({"type": "string", "pattern": "^a$"})["description"] == "{pattern: ^a$}"


@pytest.mark.parametrize(
    ("schema", "accepted"),
    [
        ({"type": ["string", "null"], "format": "date"}, {"type": ["string", "null"], "format": "date"}),
        ({"type": ["null"]}, {"type": "null"}),
        (
            {"type": ["object", "null"], "properties": {"a": {"type": "null"}}},
            {
                "type": ["object", "null"],
                "properties": {"a": {"type": "null"}},
                "additionalProperties": False,
            },
        ),
        ({"properties": {}}, {"type": "object", "properties": {}, "additionalProperties": False}),
        ({"items": {"type": "null"}}, {"type": "array", "items": {"type": "null"}}),
        ({}, {"type": ["string", "number", "boolean", "null"]}),
        (True, {"type": ["string", "number", "boolean", "null"]}),
        (None, {"type": ["string", "number", "boolean", "null"]}),
        ({"type": "any"}, {"type": ["string", "number", "boolean", "null"]}),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "null"}, {"type": "null"}),
        (
            {"$ref": "#/definitions/a", "definitions": {"a": {"type": "object"}}},
            {
                "$ref": "#/definitions/a",
                "definitions": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
            },
        ),
    ],
)
def test_what_the_sdk_refuses_is_rewritten_too(schema: Any, accepted: dict[str, Any]) -> None:
    assert accepted_schema(schema) == accepted


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["object", "array", "string", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*sorted(KEYWORDS), "oneOf", "minimum", "x"]), inner, max_size=5),
    ),
)


@given(st.dictionaries(st.sampled_from([*sorted(KEYWORDS), "oneOf", "not"]), ANYTHING, max_size=6))
def test_whatever_a_client_calls_a_schema_is_rewritten(schema: dict[str, Any]) -> None:
    made = accepted_schema(copy.deepcopy(schema))
    for one in schemas_in(made):
        assert "object" not in one.get("type", "") or one["additionalProperties"] is False
    is_expressible(schema)


def test_the_client_s_schema_is_not_changed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    before = copy.deepcopy(schema)
    accepted_schema(schema)
    assert schema == before


def test_depth_is_bounded() -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(MAX_DEPTH):
        schema = {"type": "array", "items": schema}
    accepted_schema(schema)
    with pytest.raises(SchemaTooDeep):
        accepted_schema({"type": "array", "items": schema})


REF_A, REF_B = {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}


@pytest.mark.parametrize(
    ("schema", "expressible"),
    [
        ({"type": "object"}, True),
        (REF_A | {"$defs": {"a": {"type": "null"}}}, True),
        (REF_A | {"$defs": {"a": {"items": REF_B}, "b": {"type": "null"}}}, True),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "null"}}}, True),
        (REF_A | {"$defs": {"a": {"items": REF_A}}}, False),
        (REF_A | {"$defs": {"a": {"items": REF_B}, "b": {"anyOf": [{"type": "null"}, REF_A]}}}, False),
        ({"type": "array", "items": {"$ref": "#"}}, False),
        (REF_A, False),
        ({"$ref": "https://example.com/schema.json"}, False),
    ],
)
def test_a_schema_that_contains_itself_is_found(schema: dict[str, Any], expressible: bool) -> None:
    assert is_expressible(schema) is expressible
