"""Explains one key of the config file: its effective value and the origin of it, its default, what sets it.

Must not read a file. Secrets are masked before they get into any text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from clawgate.settings.environment import full_environment
from clawgate.settings.json5.document import NoSuchPath, value_at
from clawgate.settings.json5.file import Json5File
from clawgate.settings.json5.source_map import nearest_position
from clawgate.settings.key_path import KeyPath, format_key_path, in_document
from clawgate.settings.openclaw.key_catalog import KeyInfo, applied_live, known_key
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact
from clawgate.settings.references import resolve_references
from clawgate.settings.resolve import Resolved, resolve
from clawgate.settings.secrets import PLACEHOLDER

NOT_READ = "clawgate does not read it; it is OpenClaw's own."


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """``value`` has its secrets masked; ``references``: the variables it refers to, and whether each is set.

    ``in_file`` is where it is in the file, None if it is not; ``source`` may win over that.
    """

    path: KeyPath
    value: object
    source: str
    known: KeyInfo | None
    references: Mapping[str, bool]
    in_file: str | None

    def as_json(self) -> dict[str, object]:
        known = self.known
        return {
            "key": format_key_path(self.path),
            "value": self.value,
            "source": self.source,
            "inFile": self.in_file,
            "default": known.default if known else None,
            "description": known.description if known else None,
            "variables": list(known.variables) if known else [],
            "flag": known.flag if known else None,
            "references": dict(self.references),
            "appliesLive": applied_live(self.path),
        }

    def lines(self) -> list[str]:
        known = self.known
        change = "applied by a running gateway" if applied_live(self.path) else "needs a restart"
        rows = [
            ("value", _format(self.value)),
            ("from", self.source),
            *(
                ("refers to", f"{name}, which is {'set' if is_set else 'not set'}")
                for name, is_set in self.references.items()
            ),
            ("overridden", self.in_file if self.in_file and self.in_file != self.source else ""),
            ("default", _format(known.default) if known else ""),
            ("set by", ", ".join(_setters(known)) if known else ""),
            ("a change", change),
        ]
        about = known.description if known else NOT_READ
        return [
            format_key_path(self.path),
            *([f"  {about}"] if about else []),
            *(f"  {label:<11}{text}" for label, text in rows if text),
        ]


def explain(path: KeyPath, file: Json5File, environment: Mapping[str, str]) -> ExplainedValue | None:
    """Return the explanation of a key, None for one that is neither in the file nor known.

    ``file`` may be an empty one; ``environment`` is that of the process, or a `named_environment`. Raises
    `SettingsInvalid` where variables cannot be read.
    """
    variables, problems = full_environment(environment, file.value)
    if of_files := [problem for problem in problems if problem.location]:
        raise SettingsInvalid(of_files)
    key = in_document(path, file.value)
    known = known_key(key)
    try:
        line, _ = nearest_position(file.source_map.spans, key)
        in_file = Resolved(value_at(file.value, key), f"{file.path}:{line}")
    except NoSuchPath:
        in_file = None
        if known is None:
            return None
    found = resolve(
        known.variables if known else (),
        variables,
        in_file=in_file,
        default=known.default if known else None,
    )
    references = _references(found.value, variables) if found is in_file else {}
    is_secret = known is not None and known.secret and isinstance(found.value, str) and not references
    value = found.value if found.is_default else PLACEHOLDER if is_secret else redact(found.value, key)
    return ExplainedValue(key, value, found.origin, known, references, in_file.origin if in_file else None)


def _references(value: object, environment: Mapping[str, str]) -> dict[str, bool]:
    """Every variable that ``value`` refers to: in an empty environment all of them are unresolved."""
    _, references = resolve_references(value, {})
    _, unresolved = resolve_references(value, environment)
    unset = {one.name for one in unresolved if one.kind == "unset"}
    return {one.name: one.name not in unset for one in references if one.kind == "unset"}


def _format(value: object) -> str:
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _setters(known: KeyInfo) -> list[str]:
    return [*([known.flag] if known.flag else []), *known.variables]
