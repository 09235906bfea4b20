"""A function is strict only where OpenAI accepts its schema so, and an object states its properties."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.chat_upstream.functions import parameter_fields

FULL: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
OPTIONAL: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "strict", "fields"),
    [
        (OPTIONAL, None, {"parameters": OPTIONAL}),
        (OPTIONAL, False, {"parameters": OPTIONAL, "strict": False}),
        (OPTIONAL, True, {"parameters": OPTIONAL, "strict": False}),
        (FULL, True, {"parameters": {**FULL, "additionalProperties": False}, "strict": True}),
        ({"type": "object"}, None, {"parameters": {"type": "object", "properties": {}}}),
    ],
)
def test_parameters_are_strict_where_that_is_accepted(
    schema: dict[str, Any], strict: bool | None, fields: dict[str, Any]
) -> None:
    assert parameter_fields(schema, strict=strict) == fields
