"""Writes the schema of a function's parameters as OpenAI accepts it."""

from __future__ import annotations

from typing import Any

from clawgate.wire.translate.strict_schema import strict_form

Schema = dict[str, Any]


def parameter_fields(schema: Schema, *, strict: bool | None) -> Schema:
    """Return `parameters` and `strict` of a function. It is strict only where OpenAI accepts that."""
    if strict is None:
        return {"parameters": _with_properties(schema)}
    form = strict_form(schema) if strict else None
    return {"parameters": form or _with_properties(schema), "strict": form is not None}


def _with_properties(schema: Schema) -> Schema:
    """Return a tool's schema as OpenAI accepts it: an object without properties has to state that."""
    if schema.get("type") == "object" and not isinstance(schema.get("properties"), dict):
        return {**schema, "properties": {}}
    return schema
