"""Schemas of tools lose the keywords that their server rejects, and no property of the same name."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.tool_schema import fit_schema


def test_keywords_are_removed_and_properties_of_their_names_stay() -> None:
    schema = {
        "type": "object",
        "pattern": "x",
        "properties": {"pattern": {"type": "string", "pattern": "x", "default": {"pattern": "x"}}},
        "$defs": {"pattern": {"anyOf": [{"type": "string", "pattern": "x"}]}},
        "required": ["pattern"],
    }
    assert fit_schema(schema, Compat(unsupported_tool_schema_keywords=("pattern",))) == {
        "type": "object",
        "properties": {"pattern": {"type": "string", "default": {"pattern": "x"}}},
        "$defs": {"pattern": {"anyOf": [{"type": "string"}]}},
        "required": ["pattern"],
    }
    assert fit_schema(schema, NO_COMPAT) is schema


def test_llamacpp_gets_no_patterns_and_no_long_limits() -> None:
    schema = {"type": "string", "pattern": "x", "maxLength": 2000, "items": {"maxLength": 1999}}
    fitted = fit_schema(schema, Compat(tool_schema_profile="llamacpp"))
    assert fitted == {"type": "string", "items": {"maxLength": 1999}}


@pytest.mark.parametrize(
    ("schema", "fitted"),
    [
        ({"type": ["string", "null"], "minLength": 1, "format": "uri"}, {"type": "string"}),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"$ref": "#/$defs/a", "description": "d", "$defs": {"a": {"type": "string", "pattern": "x"}}},
         {"type": "string", "description": "d"}),
        ({"$ref": "#/$defs/none"}, {"type": "object"}),
        ({"$ref": "https://e/schema"}, {"type": "object"}),
        ({"properties": {"format": {"type": "array", "items": [{"minimum": 1}]}}},
         {"properties": {"format": {"type": "array", "items": [{}]}}}),
        (True, True),
    ],
)  # fmt: skip
def test_gemini_gets_its_subset(schema: Any, fitted: Any) -> None:
    assert fit_schema(schema, Compat(tool_schema_profile="gemini")) == fitted


def test_a_reference_that_contains_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
    }
    fitted = fit_schema(schema, Compat(tool_schema_profile="gemini"))
    assert fitted == {"type": "object", "properties": {"n": {"type": "object"}}}
