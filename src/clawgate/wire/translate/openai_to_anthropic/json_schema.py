"""Rewrites a JSON schema to the subset that Anthropic accepts for structured output and strict tools.

Every object gets `additionalProperties: false`, and what Anthropic does not enforce moves into the description, where
the model reads it: as `transform_schema` of Anthropic's own SDK does (read in anthropic 2.11). Beyond the SDK, which
raises for them, lists of types, `definitions` and schemas without a type are rewritten. A schema that contains itself,
or refers to another document, cannot be rewritten: `is_expressible` finds those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

Schema = dict[str, object]

MAX_DEPTH = 100
"""Schemas within each other; OpenAI accepts 10."""

FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
"""The formats of strings that Anthropic enforces."""

_SCALARS = ("string", "number", "boolean", "null")
_TYPES = frozenset({"object", "array", "integer", *_SCALARS})
_IMPLIED = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""The type of a schema that names none, by its other keywords."""
_MEANINGLESS = ("$schema", "$id", "$comment")
_DEFINITIONS = ("$defs", "definitions")
_COMBINED = (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf"))


class SchemaTooDeep(Exception):
    """The schema is nested more deeply than `MAX_DEPTH`."""


def accepted_schema(schema: object, depth: int = 0) -> Schema:
    """Return ``schema`` as Anthropic accepts it; raises `SchemaTooDeep`."""
    if depth > MAX_DEPTH:
        raise SchemaTooDeep
    rest: Schema = dict(schema) if isinstance(schema, Mapping) else {}
    made: Schema = {}
    for name in _MEANINGLESS:
        rest.pop(name, None)
    for name in _DEFINITIONS:
        if isinstance(rest.get(name), Mapping):
            made[name] = _each(rest.pop(name), depth)
    if isinstance(rest.get("$ref"), str):
        return made | {"$ref": rest["$ref"]}  # Anthropic ignores what is beside a reference
    types = _types(rest)
    literals = _literals(rest)
    combined = _combined(rest, depth)
    made |= literals | combined
    if not (literals or combined):
        types = types or _implied_types(rest)
        made["type"] = types[0] if len(types) == 1 else types
    for name in ("description", "title"):
        if isinstance(rest.get(name), str):
            made[name] = rest.pop(name)
    if not literals:
        for kind, members in _MEMBERS.items():
            if kind in types:
                made |= members(rest, depth)
    if rest:
        made["description"] = _with_note(made.get("description"), rest)
    return made


def is_expressible(schema: Mapping[str, object]) -> bool:
    """Whether every reference leads to a definition in ``schema`` itself, and none back to where it is."""
    definitions = {
        f"#/{name}/{key}": value
        for name in _DEFINITIONS
        if isinstance(within := schema.get(name), Mapping)
        for key, value in within.items()
    }
    references = {pointer: set(_references(value)) for pointer, value in definitions.items()}
    if not definitions.keys() >= {*_references(schema)}:
        return False
    while references:  # take away what refers to nothing that is left: a circle stays
        ends = [pointer for pointer, targets in references.items() if not targets & references.keys()]
        if not ends:
            return False
        for pointer in ends:
            del references[pointer]
    return True


def _references(schema: object) -> Iterator[str]:
    queue = [schema]
    while queue:
        value = queue.pop()
        if isinstance(value, Mapping):
            if isinstance(target := value.get("$ref"), str):
                yield target
            queue += value.values()
        elif isinstance(value, list):
            queue += value


def _each(schemas: object, depth: int) -> Schema:
    members = schemas.items() if isinstance(schemas, Mapping) else ()
    return {str(name): accepted_schema(schema, depth + 1) for name, schema in members}


def _types(rest: Schema) -> list[str]:
    """Take the types out of ``rest`` and return those that exist."""
    given = rest.pop("type", None)
    listed = given if isinstance(given, list) else [given]
    return [kind for kind in listed if isinstance(kind, str) and kind in _TYPES]


def _implied_types(rest: Schema) -> list[str]:
    """Return the type that the keywords imply, or all types whose values need no schema."""
    for kind, keywords in _IMPLIED.items():
        if any(keyword in rest for keyword in keywords):
            return [kind]
    return list(_SCALARS)


def _literals(rest: Schema) -> Schema:
    """Take out an `enum` or `const` of plain values: there the values say the type."""
    made: Schema = {}
    values = rest.get("enum")
    if isinstance(values, list) and values and all(map(_is_plain, values)):
        made["enum"] = rest.pop("enum")
    if "const" in rest and _is_plain(rest["const"]):
        made["const"] = rest.pop("const")
    return made


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _combined(rest: Schema, depth: int) -> Schema:
    """Take out the combined schemas and return the first kind of them."""
    made: Schema = {}
    for keyword, accepted in _COMBINED:
        variants = rest.pop(keyword, None)
        if isinstance(variants, list) and not made:
            made[accepted] = [accepted_schema(variant, depth + 1) for variant in variants]
    return made


def _object_members(rest: Schema, depth: int) -> Schema:
    rest.pop("additionalProperties", None)
    made: Schema = {"properties": _each(rest.pop("properties", None), depth), "additionalProperties": False}
    if isinstance(rest.get("required"), list):
        made["required"] = rest.pop("required")
    return made


def _string_members(rest: Schema, depth: int) -> Schema:
    known = isinstance(name := rest.get("format"), str) and name in FORMATS
    return {"format": rest.pop("format")} if known else {}


def _array_members(rest: Schema, depth: int) -> Schema:
    made: Schema = {}
    if isinstance(rest.get("items"), Mapping | bool):
        made["items"] = accepted_schema(rest.pop("items"), depth + 1)
    if rest.get("minItems") in (0, 1):  # the numbers that Anthropic enforces
        made["minItems"] = rest.pop("minItems")
    return made


_MEMBERS = {"object": _object_members, "string": _string_members, "array": _array_members}


def _with_note(description: object, rest: Schema) -> str:
    """Return a description that ends with the keywords that are not enforced."""
    note = ", ".join(
        f"{name}: {value if isinstance(value, str) else _json(value)}" for name, value in rest.items()
    )
    return f"{description}\n\n{{{note}}}" if description else f"{{{note}}}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
