"""Decides where OpenAI accepts a JSON schema as strict: there `strict` guarantees that the output matches it.

Source: OpenAI's guide "Structured model outputs", section "Supported schemas". Every property has to be required, every
object closed, and only some keywords are known; anything else is an error 400. A schema that only lacks
`additionalProperties: false` is completed, since what matches the completed one matches the original. Nothing else is
rewritten: an optional property that becomes nullable would be null where the client's own schema allows no null.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_KEYWORDS = frozenset(
    {
        "$defs", "$ref", "additionalProperties", "anyOf", "const", "definitions", "description", "enum",
        "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
        "multipleOf", "pattern", "properties", "required", "title", "type",
    }
)  # fmt: skip
_ANNOTATIONS = frozenset({"$schema", "$id", "$comment"})
"""Keywords that say nothing about a value: they are left out."""
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_MAX_DEPTH = 10
_MAX_PROPERTIES = 5000
_MAX_ENUM_VALUES = 1000
_MAX_CHARACTERS = 120_000


class _NotStrictError(Exception):
    """The schema has something that a strict one must not have."""


def strict_form(schema: Schema) -> Schema | None:
    """Return the schema as OpenAI accepts it with `strict`; None if it would reject it, or change its meaning."""
    form = _Form()
    try:
        made = form.object_schema(schema)
    except (_NotStrictError, RecursionError):
        return None
    return made if form.fits() else None


class _Form:
    """One schema while it is checked, with what OpenAI counts of it."""

    def __init__(self) -> None:
        self._properties = 0
        self._enum_values = 0
        self._characters = 0

    def fits(self) -> bool:
        return (
            self._properties <= _MAX_PROPERTIES
            and self._enum_values <= _MAX_ENUM_VALUES
            and self._characters <= _MAX_CHARACTERS
        )

    def object_schema(self, schema: object) -> Schema:
        """Return the root, which has to be an object."""
        if not isinstance(schema, dict) or schema.get("type") != "object" or "anyOf" in schema:
            raise _NotStrictError
        return self._schema(schema, 1)

    def _schema(self, schema: object, depth: int) -> Schema:
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            raise _NotStrictError
        schema = {name: value for name, value in schema.items() if name not in _ANNOTATIONS}
        if not schema.keys() <= _KEYWORDS:
            raise _NotStrictError
        types = _types(schema)
        if not types and not schema.keys() & {"anyOf", "$ref", "enum", "const"}:
            raise _NotStrictError
        if "$ref" in schema and len(schema) > 1:
            raise _NotStrictError
        if "format" in schema and schema["format"] not in _FORMATS:
            raise _NotStrictError
        made = dict(schema)
        if "object" in types:
            made |= self._object(schema, depth)
        elif schema.keys() & {"properties", "required", "additionalProperties"}:
            raise _NotStrictError
        if "array" in types:
            made["items"] = self._schema(schema.get("items"), depth + 1)
        elif "items" in schema:
            raise _NotStrictError
        self._count_values(schema)
        for name in ("$defs", "definitions"):
            if name in schema:
                made[name] = self._named(schema[name], depth)
        if "anyOf" in schema:
            options = schema["anyOf"]
            if not isinstance(options, list) or not options:
                raise _NotStrictError
            made["anyOf"] = [self._schema(option, depth) for option in options]
        return made

    def _object(self, schema: Schema, depth: int) -> Schema:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise _NotStrictError
        if (
            set(map(str, required)) != set(properties)
            or schema.get("additionalProperties", False) is not False
        ):
            raise _NotStrictError
        if not properties and "additionalProperties" not in schema and depth > 1:
            raise _NotStrictError  # an object of any content, which a closed one is not
        self._properties += len(properties)
        return {"properties": self._named(properties, depth + 1), "additionalProperties": False}

    def _named(self, schemas: object, depth: int) -> Schema:
        if not isinstance(schemas, dict):
            raise _NotStrictError
        self._characters += sum(map(len, schemas))
        return {name: self._schema(value, depth) for name, value in schemas.items()}

    def _count_values(self, schema: Schema) -> None:
        values = schema.get("enum", [])
        if not isinstance(values, list):
            raise _NotStrictError
        self._enum_values += len(values)
        self._characters += sum(len(str(value)) for value in [*values, schema.get("const", "")])


def _types(schema: Schema) -> tuple[str, ...]:
    """Return the types of a schema; raises `_NotStrictError` for what is none."""
    types = schema.get("type", ())
    named = (
        (types,) if isinstance(types, str) else tuple(types) if isinstance(types, list | tuple) else (None,)
    )
    if not all(isinstance(one, str) and one in _TYPES for one in named):
        raise _NotStrictError
    return named
