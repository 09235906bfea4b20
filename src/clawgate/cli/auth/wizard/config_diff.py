"""The change of a config file as a diff for people. Must mask every secret, in the lines around a change too."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator

import pyjson5

from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.providers.provider import mask
from clawgate.settings.json5.document import value_at
from clawgate.settings.json5.source_map import InvalidJson5, spans_of
from clawgate.settings.key_path import KeyPath
from clawgate.settings.redaction import is_secret

_CONTEXT = 2


def config_diff(name: str, before: str, after: str, known: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a unified diff. ``known`` are secrets to mask everywhere, in comments too.

    A secret that was not in ``before`` is marked as new: two masks may look the same.
    """
    old = _secrets(before)
    old_texts = set(old.values())
    old_lines = _masked(before, old, old_texts, known).splitlines()
    new_lines = _masked(after, _secrets(after), old_texts, known).splitlines()
    yield from difflib.unified_diff(
        old_lines, new_lines, fromfile=name, tofile=f"{name} (new)", n=_CONTEXT, lineterm=""
    )


def _secrets(text: str) -> dict[KeyPath, str]:
    """Return the secrets by key path; empty for a text that is not JSON5."""
    try:
        document = pyjson5.decode(text)
        spans = spans_of(text)
    except (InvalidJson5, pyjson5.Json5Exception):
        return {}
    found = {}
    for path, span in spans.items():
        if span.kind == "scalar":
            value = value_at(document, path)
            if is_secret(path, value):
                found[path] = str(value)
    return found


def _masked(text: str, secrets: dict[KeyPath, str], old: Collection[str], known: Collection[str]) -> str:
    spans = spans_of(text) if secrets else {}
    for path, value in sorted(secrets.items(), key=lambda item: -spans[item[0]].value_start):
        span = spans[path]
        new = "" if value in old else " (new)"
        text = text[: span.value_start] + json.dumps(f"{mask(value)}{new}") + text[span.value_end :]
    for value in sorted({*known, *secrets.values()}, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, mask(value))
    return "\n".join(map(_printable, text.splitlines()))


def _printable(line: str) -> str:
    """Return the line without control characters; a comment that may hold a secret is hidden."""
    line = line.replace("\t", "    ")
    if is_secret((), line):
        return f"{line[: len(line) - len(line.lstrip())]}(hidden: this line may contain a secret)"
    return line if line.isprintable() else ascii(line)[1:-1]
