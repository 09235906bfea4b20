"""Finds numbers and booleans of the config file that OpenClaw rejects: of another type, or out of range.

Pure but for its own table. Source: the configuration schema that OpenClaw 2026.9.6 prints, of which
``scripts/openclaw-values`` made ``upstream_values.json``. Channels and the settings of single plugins are not in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from clawgate.settings.key_path import KeyPath

_ALTERNATIVES, _ANY_KEY, _ANY_INDEX = "=", "*", "[]"
_KINDS = {
    "number": "a number", "integer": "a whole number", "boolean": "true or false", "string": "text",
    "object": "an object", "array": "a list",
}  # fmt: skip
_BOUNDS = {"min": "at least", "max": "at most", "above": "over", "below": "under"}

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WrongValue:
    """A value that OpenClaw rejects; ``message`` says what it must be, without the value."""

    path: KeyPath
    message: str


def wrong_values(document: object) -> Iterator[WrongValue]:
    """Yield every number, boolean, or what is in the place of one, that OpenClaw rejects."""
    return _in(document, table(), ())


@cache
def table() -> Table:
    """Return the table: keys, ``*`` for any key, ``[]`` for any index, ``=`` for what a value may be."""
    text = resources.files(__package__).joinpath("upstream_values.json").read_text("ascii")
    loaded: Table = json.loads(text)
    return loaded


def _in(value: object, part: Table, path: KeyPath) -> Iterator[WrongValue]:
    allowed = part.get(_ALTERNATIVES)
    if allowed is not None and not any(_matches(value, one) for one in allowed):
        yield WrongValue(path, _describe(value, allowed))
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in (_ALTERNATIVES, _ANY_KEY, _ANY_INDEX) and (
                known := part.get(key, part.get(_ANY_KEY))
            ):
                yield from _in(inner, known, (*path, key))
    elif isinstance(value, list) and (known := part.get(_ANY_INDEX)):
        for index, inner in enumerate(value):
            yield from _in(inner, known, (*path, index))


def _matches(value: Any, allowed: Mapping[str, Any]) -> bool:
    if "one of" in allowed:
        return any(value is one or (type(value) is type(one) and value == one) for one in allowed["one of"])
    match allowed["is"]:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return _is_number(value) and _in_range(value, allowed)
        case "integer":
            return _is_number(value) and value == int(value) and _in_range(value, allowed)
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "null":
            return value is None
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _in_range(value: Any, allowed: Mapping[str, Any]) -> bool:
    return bool(
        value >= allowed.get("min", -math.inf)
        and value <= allowed.get("max", math.inf)
        and value > allowed.get("above", -math.inf)
        and value < allowed.get("below", math.inf)
    )


def _describe(value: object, allowed: Sequence[Mapping[str, Any]]) -> str:
    text = "must be " + " or ".join(dict.fromkeys(_describe_one(one) for one in allowed))
    return (
        f"{text}, not text"
        if isinstance(value, str) and all(one.get("is") != "string" for one in allowed)
        else text
    )


def _describe_one(allowed: Mapping[str, Any]) -> str:
    if "one of" in allowed:
        return " or ".join(json.dumps(one) for one in allowed["one of"])
    bounds = [f"{words} {allowed[key]}" for key, words in _BOUNDS.items() if key in allowed]
    return " ".join([_KINDS.get(allowed["is"], allowed["is"]), " and ".join(bounds)]).strip()
