"""Fits tools and their JSON schemas to what a server's validator accepts, as its compat keys say.

Keywords are removed where they are keywords: a property of the same name stays. Source of the profiles: OpenClaw
2026.9.6, `toolSchemaProfile`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.compat import Compat

_GEMINI = frozenset(
    {
        "$defs", "$id", "$schema", "additionalProperties", "definitions", "examples", "format", "maxItems", "maxLength",
        "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "pattern",
        "patternProperties", "uniqueItems",
    }
)  # fmt: skip
_LLAMACPP = frozenset({"pattern"})
_LONGEST_IN_LLAMACPP = 2000
"""llama.cpp expands `maxLength` into its grammar."""
_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose members are schemas by names of the author's own."""
_DATA = ("enum", "const", "default", "examples", "required")
"""Keywords whose values are no schemas."""


def remove_tools(fields: dict[str, Any], removed: list[str], *, forced: bool) -> None:
    """Leave out the tools where the server knows none; raises `InvalidRequest` if one is ``forced`` to be called."""
    if forced:
        raise InvalidRequest(
            "'tool_choice' wants a call of a tool, and this model has none (compat.supportsTools)",
            param="tool_choice",
        )
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        fields.pop(name, None)
    removed.append("tools")


def fit_tool(tool: dict[str, Any], schema: str, compat: Compat, removed: list[str]) -> None:
    """Fit a tool, whose schema is the member of that name, to its server."""
    if compat.supports_strict_mode is False and tool.pop("strict", None) and "tools.strict" not in removed:
        removed.append("tools.strict")
    if schema in tool:
        tool[schema] = fit_schema(tool[schema], compat)


def fit_schema(schema: Any, compat: Compat) -> Any:
    if compat.tool_schema_profile == "gemini":
        schema = _for_gemini(schema, schema, ())
    removed = set(compat.unsupported_tool_schema_keywords)
    if compat.tool_schema_profile == "llamacpp":
        removed |= _LLAMACPP
        schema = _without(schema, (), longest=_LONGEST_IN_LLAMACPP)
    return _without(schema, removed) if removed else schema


def _without(schema: Any, removed: Collection[str], *, longest: int | None = None) -> Any:
    """Return the schema without some keywords, and without a `maxLength` of ``longest`` or more."""
    if isinstance(schema, list):
        return [_without(one, removed, longest=longest) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        is_too_long = (
            name == "maxLength" and longest is not None and isinstance(value, int) and value >= longest
        )
        if name in removed or is_too_long:
            continue
        if name in _OF_SCHEMAS and isinstance(value, dict):
            kept[name] = {key: _without(one, removed, longest=longest) for key, one in value.items()}
        else:
            kept[name] = value if name in _DATA else _without(value, removed, longest=longest)
    return kept


def _for_gemini(schema: Any, root: Any, within: tuple[str, ...]) -> Any:
    """Return the schema in Gemini's subset: references resolved, one type, values as `enum`.

    ``within`` are the references that are being resolved: one that contains itself becomes an object.
    """
    if isinstance(schema, list):
        return [_for_gemini(one, root, within) for one in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        found = None if reference in within else _referenced(root, reference)
        if found is None:
            return {"type": "object", **_for_gemini(rest, root, within)}
        return _for_gemini({**found, **rest}, root, (*within, reference))
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _GEMINI:
            continue
        if name == "const":
            kept["enum"] = [value]
        elif name == "type" and isinstance(value, list):
            types = [one for one in value if one != "null"]
            kept["type"] = types[0] if len(types) == 1 else types
        elif name == "properties" and isinstance(value, dict):
            kept[name] = {key: _for_gemini(one, root, within) for key, one in value.items()}
        else:
            kept[name] = value if name in _DATA else _for_gemini(value, root, within)
    return kept


def _referenced(root: Any, reference: str) -> dict[str, Any] | None:
    """Return the schema of a reference within its document; None if there is none."""
    found = root
    for key in reference.removeprefix("#/").split("/") if reference.startswith("#/") else ("",):
        name = key.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None
