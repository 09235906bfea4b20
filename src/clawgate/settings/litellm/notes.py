"""Collects what of LiteLLM's config is not taken over, each key once however many models have it. Pure."""

from __future__ import annotations

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.litellm.yaml_file import YamlMapping

NO_COUNTERPART = "clawgate has no setting for it"


class Notes:
    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Diagnostic, int]] = {}

    def add(self, mapping: YamlMapping, path: KeyPath, message: str, fix: str = "") -> None:
        """Note what is at ``path``, whose last key is one of ``mapping``. Must not be given a value."""
        key = ".".join(str(part) for part in path if isinstance(part, str))
        note = Diagnostic(path, message, Severity.WARNING, fix, location=mapping.at(str(path[-1])))
        first, count = self._found.get((key, note.text), (note, 0))
        self._found[key, note.text] = first, count + 1

    def unread(self, mapping: YamlMapping, path: KeyPath, read: set[str], reasons: dict[str, str]) -> None:
        """Note every key of ``mapping`` that is not among ``read``, with its reason if there is one."""
        for key in mapping:
            if key not in read and mapping[key] is not None:
                message, _, fix = reasons.get(key, NO_COUNTERPART).partition("; ")
                self.add(mapping, (*path, key), message, fix)

    def all(self) -> list[Diagnostic]:
        """Return them in the order of the file; of equal ones the first, with their number."""
        return [
            Diagnostic(
                note.path,
                note.message + (f" ({count} times; this is the first)" if count > 1 else ""),
                note.severity,
                note.fix,
                location=note.location,
            )
            for note, count in self._found.values()
        ]


def name_of(path: KeyPath) -> str:
    return format_key_path(path)
