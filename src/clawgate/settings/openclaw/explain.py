"""What is the effective value of one key, and where does it come from? Environment, .env file, config file, default.

Secrets are masked before they get here into any text. It reads no file itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from clawgate.settings.environment import full_environment
from clawgate.settings.json5.edit import NoSuchPath, value_at
from clawgate.settings.json5.file import Json5File
from clawgate.settings.json5.source_map import nearest
from clawgate.settings.key_path import KeyPath, format_key_path, in_document
from clawgate.settings.openclaw.key_catalog import KeyInfo, applied_live, known_key
from clawgate.settings.redaction import PLACEHOLDER, redact
from clawgate.settings.references import resolve_references
from clawgate.settings.resolve import Resolved, resolve

UNKNOWN = "clawgate does not read it; it is OpenClaw's own."


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """``value`` has its secrets masked; ``references``: the variables it refers to, and whether each is set."""

    path: KeyPath
    value: object
    source: str
    known: KeyInfo | None
    references: Mapping[str, bool]
    in_file: str | None
    """Where it stands in the file, if it does; something else may win over that."""

    def as_json(self) -> dict[str, object]:
        """For programs; null where there is nothing."""
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
        """For people."""
        known = self.known
        rows = [
            ("value", _shown(self.value)),
            ("from", self.source),
            ("default", _shown(known.default) if known else ""),
            ("set by", _setters(known)),
            (
                "a change",
                "is taken over by a running gateway" if applied_live(self.path) else "needs a restart",
            ),
        ]
        if self.in_file and self.in_file != self.source:
            rows.insert(2, ("overridden", self.in_file))
        for name, is_set in self.references.items():
            rows.insert(2, ("refers to", f"{name}, which is {'set' if is_set else 'not set'}"))
        about = known.description if known else UNKNOWN
        return [
            format_key_path(self.path),
            *([f"  {about}"] if about else []),
            *(f"  {key:<11}{text}" for key, text in rows if text),
        ]


def explain(path: KeyPath, file: Json5File, environment: Mapping[str, str]) -> ExplainedValue | None:
    """Return None for a key that neither stands in the file nor is known.

    ``file`` may be an empty one; ``environment`` is that of the process, or a `named_environment`.
    """
    variables, _ = full_environment(environment, file.value)
    key = in_document(path, file.value)
    known = known_key(key)
    try:
        in_file = Resolved(value_at(file.value, key), _location(file, key))
    except NoSuchPath:
        in_file = None
        if known is None:
            return None
    found = resolve(
        known.variables if known else (), variables, in_file=in_file, default=known.default if known else None
    )
    references = _references(found.value, variables) if found is in_file else {}
    is_secret = known is not None and known.secret and isinstance(found.value, str) and not references
    value = found.value if found.is_default else PLACEHOLDER if is_secret else redact(found.value, key)
    return ExplainedValue(key, value, found.origin, known, references, in_file.origin if in_file else None)


def _location(file: Json5File, path: KeyPath) -> str:
    return f"{file.path}:{nearest(file.scan.spans, path)[0]}"


def _references(value: object, environment: Mapping[str, str]) -> dict[str, bool]:
    """Every variable that ``value`` refers to: those of nothing are all of them."""
    _, every = resolve_references(value, {})
    _, unset = resolve_references(value, environment)
    missing = {one.name for one in unset}
    return {one.name: one.name not in missing for one in every if one.kind == "unset"}


def _shown(value: object) -> str:
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _setters(known: KeyInfo | None) -> str:
    if known is None:
        return ""
    return ", ".join([*([known.flag] if known.flag else []), *known.variables])
