from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.definition.tool_arguments import argument_problem

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "near": {"type": ["boolean", "null"]},
        "size": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "any": {},
        "odd": {"type": "colour"},
        "ref": {"$ref": "#/definitions/x"},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    "more",
    [
        {}, {"days": 3}, {"days": 3.0}, {"near": None}, {"near": True}, {"size": 1}, {"size": 1.5}, {"tags": [1]},
        {"any": object}, {"odd": 1}, {"ref": 1}, {"more": 1},
    ],
)  # fmt: skip
def test_what_may_be_right_passes(more: dict[str, Any]) -> None:
    assert argument_problem(SCHEMA, {"city": "Bern", **more}) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "lack city"),
        ({"days": 3}, "lack city"),
        ({"city": 3}, "'city' must be of the type string"),
        ({"city": None}, "'city' must be of the type string"),
        ({"city": "Bern", "days": "3"}, "'days' must be of the type integer"),
        ({"city": "Bern", "days": 1.5}, "'days' must be of the type integer"),
        ({"city": "Bern", "days": True}, "'days' must be of the type integer"),
        ({"city": "Bern", "size": False}, "'size' must be of the type number"),
        ({"city": "Bern", "near": 0}, "'near' must be of the type boolean or null"),
        ({"city": "Bern", "tags": {}}, "'tags' must be of the type array"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], says: str) -> None:
    assert says in str(argument_problem(SCHEMA, arguments))


def test_an_argument_that_the_schema_excludes_is_named_with_those_that_there_are() -> None:
    closed = {**SCHEMA, "additionalProperties": False}
    assert "no argument 'town'; use any" in str(argument_problem(closed, {"city": "Bern", "town": "x"}))
    open_by_pattern = {**closed, "patternProperties": {"^t": {}}}
    assert argument_problem(open_by_pattern, {"city": "Bern", "town": "x"}) is None


@pytest.mark.parametrize(
    "schema", [None, True, [], {}, {"required": "city"}, {"properties": []}, {"properties": {"a": True}}]
)
def test_a_schema_that_says_nothing_excludes_nothing(schema: object) -> None:
    assert argument_problem(schema, {"a": 1}) is None
