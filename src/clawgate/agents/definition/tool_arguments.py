"""Checks the arguments that a model wrote against the schema of their tool: what is required, and what type each has.

Pure. Law: what is rejected is certain to be wrong; the rest of the schema is left to the tool. No library: it would be
a dependency for the nested rest, which models seldom get wrong, and a model needs a short message anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawgate.agents.request.refusal import listing, shown

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}


def argument_problem(schema: object, arguments: Mapping[str, Any]) -> str | None:
    """Return what is wrong with ``arguments``, for the model; None if nothing is found."""
    if not isinstance(schema, dict):
        return None
    required, properties = schema.get("required"), schema.get("properties")
    required = required if isinstance(required, list) else []
    properties = properties if isinstance(properties, dict) else {}
    missing = [name for name in required if isinstance(name, str) and name not in arguments]
    if missing:
        return f"its arguments lack {listing(missing)}"
    for name, value in arguments.items():
        rule = properties.get(name)
        if rule is None:
            if schema.get("additionalProperties") is False and "patternProperties" not in schema:
                return f"it has no argument {shown(name)!r}; use {listing(sorted(properties)) or 'none'}"
            continue
        types = _types_of(rule)
        if types and not any(_TYPES[one](value) for one in types):
            return f"its argument {shown(name)!r} must be of the type {' or '.join(types)}"
    return None


def _types_of(rule: object) -> list[str]:
    """Return the types that a schema names, none where it names one that is not known."""
    named = rule.get("type") if isinstance(rule, dict) else None
    types: list[object] = named if isinstance(named, list) else [named]
    known = [one for one in types if isinstance(one, str) and one in _TYPES]
    return known if len(known) == len(types) else []
