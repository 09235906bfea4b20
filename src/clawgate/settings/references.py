"""Resolves ``${NAME}`` and OpenClaw's secret references in a config document.

Pure: the environment is passed in, nothing is dialled. A reference that cannot be resolved is reported; it never
becomes an empty value or the secret itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clawgate.policy.printable import is_quoted
from clawgate.settings.key_path import KeyPath
from clawgate.settings.redaction import redact_name
from clawgate.settings.secrets import QUOTED

_REFERENCE = re.compile(r"\$?\$\{[^}]*\}?")
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")
_UNSUPPORTED_SOURCES = frozenset({"file", "exec", "store"})


@dataclass(frozen=True, slots=True)
class UnresolvedReference:
    """A reference that leads nowhere.

    ``kind`` is "unset" (``name`` is the variable), "malformed" (``name`` is the text) or "unsupported" (``name`` is the
    source and its provider, as ``exec:vault``), or "quoted" (what the variable ``name`` holds is not resolved).
    """

    path: KeyPath
    name: str
    kind: Literal["unset", "malformed", "unsupported", "quoted"]

    @property
    def message(self) -> str:
        if self.kind == "unsupported":
            return f"secret references of the source '{self.name.partition(':')[0]}' are not supported"
        if self.kind == "malformed":
            return f"{redact_name(self.name)} is not a reference"
        if self.kind == "quoted":
            return f"the environment variable {redact_name(self.name)} {QUOTED}"
        return f"the environment variable {redact_name(self.name)} is not set"

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}"

    @property
    def fix(self) -> str:
        if self.kind == "unsupported":
            return "use the source 'env', or enter the value itself"
        if self.kind == "malformed":
            return "write ${NAME}, or $${ for a plain ${"
        return "remove them" if self.kind == "quoted" else "set it, or enter the value itself"


def resolve_references(
    value: object, environment: Mapping[str, str], path: KeyPath = ()
) -> tuple[object, list[UnresolvedReference]]:
    """Return ``value`` with every reference replaced, and those that could not be; their texts stay as they were.

    ``${NAME}`` (``$${NAME}`` is the plain text ``${NAME}``) and ``{"source": "env", "id": NAME}``. An empty variable is
    an unset one. What a variable holds is not resolved again.
    """
    unresolved: list[UnresolvedReference] = []
    return _resolve(value, environment, path, unresolved), unresolved


def _resolve(
    value: object, environment: Mapping[str, str], path: KeyPath, unresolved: list[UnresolvedReference]
) -> object:
    if isinstance(value, dict):
        source, name = value.get("source"), value.get("id")
        if source == "env" and isinstance(name, str):
            return _variable(name, environment, path, unresolved) or value
        unsupported = isinstance(source, str) and source in _UNSUPPORTED_SOURCES
        if unsupported and isinstance(name, str) and isinstance(value.get("provider"), str):
            unresolved.append(UnresolvedReference(path, f"{source}:{value['provider']}", "unsupported"))
            return value
        return {key: _resolve(part, environment, (*path, key), unresolved) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolve(part, environment, (*path, at), unresolved) for at, part in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replacement(match: re.Match[str]) -> str:
        text = match[0]
        name = _NAME.match(text.removeprefix("$") if text.startswith("$$") else text)
        if name and text.startswith("$$"):
            return text[1:]
        if name is None:
            unresolved.append(UnresolvedReference(path, text, "malformed"))
            return text
        return _variable(name[1], environment, path, unresolved) or text

    return _REFERENCE.sub(replacement, value)


def _variable(
    name: str, environment: Mapping[str, str], path: KeyPath, unresolved: list[UnresolvedReference]
) -> str | None:
    value = environment.get(name)
    if value and not is_quoted(value.strip()):
        return value
    unresolved.append(UnresolvedReference(path, name, "quoted" if value else "unset"))
    return None
