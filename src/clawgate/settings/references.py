"""What do ``${NAME}`` and OpenClaw's secret references stand for? The environment is passed in; nothing is dialled.

A reference that cannot be followed is told, and never becomes an empty value or the secret itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clawgate.settings.key_path import KeyPath

_REFERENCE = re.compile(r"\$?\$\{[^}]*\}?")
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")
_ELSEWHERE = frozenset({"file", "exec", "store"})


@dataclass(frozen=True, slots=True)
class Missing:
    """A reference that leads nowhere. ``name`` is the variable, the odd text, or ``exec:vault``."""

    path: KeyPath
    name: str
    kind: Literal["unset", "odd", "elsewhere"]

    def __str__(self) -> str:
        if self.kind == "elsewhere":
            return f"clawgate does not follow secret references of the source '{self.name.partition(':')[0]}' yet"
        return f"the environment variable {self.name} is not set; set it, or put the value itself here"


def resolve_references(
    value: object, environment: Mapping[str, str], path: KeyPath = ()
) -> tuple[object, list[Missing]]:
    """``value`` with every reference replaced, and those that could not be; their texts stay as they were.

    ``${NAME}`` (``$${NAME}`` is the plain text ``${NAME}``) and ``{"source": "env", "id": NAME}``. An empty variable is
    an unset one. What a variable holds is not substituted again.
    """
    missing: list[Missing] = []
    return _replaced(value, environment, path, missing), missing


def _replaced(value: object, environment: Mapping[str, str], path: KeyPath, missing: list[Missing]) -> object:
    if isinstance(value, dict):
        source, name = value.get("source"), value.get("id")
        if source == "env" and isinstance(name, str):
            if not environment.get(name):
                missing.append(Missing(path, name, "unset"))
                return value
            return environment[name]
        known = isinstance(source, str) and source in _ELSEWHERE
        if known and isinstance(name, str) and isinstance(value.get("provider"), str):
            missing.append(Missing(path, f"{source}:{value['provider']}", "elsewhere"))
            return value
        return {key: _replaced(part, environment, (*path, key), missing) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, environment, (*path, at), missing) for at, part in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def look_up(match: re.Match[str]) -> str:
        whole = match[0]
        name = _NAME.match(whole.removeprefix("$") if whole.startswith("$$") else whole)
        if name and whole.startswith("$$"):
            return whole[1:]
        if name is None:
            missing.append(Missing(path, whole, "odd"))
            return whole
        if not environment.get(name[1]):
            missing.append(Missing(path, name[1], "unset"))
            return whole
        return environment[name[1]]

    return _REFERENCE.sub(look_up, value)
