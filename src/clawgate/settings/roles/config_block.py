"""Finds the part of the config file that a role reads: ``plugins.entries.<entry>.config``.

Law: what is in its place and cannot be used is a problem, never an empty part. A server whose settings were passed over
would run without its limits. Pure: takes the parsed file.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic.alias_generators import to_camel

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.file import Json5File
from clawgate.settings.json5.source_map import nearest_position
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.problems import INCLUDE, SettingsInvalid, include_problem
from clawgate.settings.schema.block import Block
from clawgate.settings.schema.openclaw import OpenClawConfig, PluginEntry, PluginsBlock
from clawgate.settings.schema.upstream_keys import OPENCLAW_KEYS

_SIMILAR_IDS = 0.8
"""How alike an id and the one that is looked for are, of 1: ``opnai-proxy`` is ``openai-proxy``."""
_SIMILAR_KEYS = 0.65
"""The same of keys, where the known ones are left out: ``entry`` is ``entries``."""
_LEVELS: tuple[type[Block] | None, ...] = (OpenClawConfig, PluginsBlock, None, PluginEntry, None)
"""What the objects on the way are; None for one with any keys."""


def config_block(file: Json5File, entry: str) -> Mapping[str, Any]:
    """Return the part; an empty one only if nothing is in its place. Raises `SettingsInvalid` with every problem."""
    section: KeyPath = ("plugins", "entries", entry, "config")
    problems = [
        Diagnostic(found.path, found.message, location=file.location(found.line, found.column))
        for found in file.source_map.duplicates
        if found.path[: len(section)] == section[: len(found.path)]
    ]
    block: Mapping[str, Any] = {}
    value: object = file.value
    for depth, level in enumerate(_LEVELS):
        path = section[:depth]
        if not isinstance(value, dict):
            problems.append(Diagnostic(path, "must be an object"))
            break
        if INCLUDE in value:
            problems.append(include_problem(path))
        if depth == len(section):
            block = value
            break
        problems += _misplaced(value, level, section, depth)
        if section[depth] not in value:
            break
        value = value[section[depth]]
    if problems:
        raise SettingsInvalid([_located(problem, file) for problem in problems])
    return block


def _misplaced(
    value: Mapping[str, Any], level: type[Block] | None, section: KeyPath, depth: int
) -> Iterator[Diagnostic]:
    """Yield the keys that were meant to be, or to be in, the one that the role reads."""
    path, wanted, entry = section[:depth], str(section[depth]), str(section[2])
    others = [key for key in value if key != INCLUDE and key not in _known_keys(level)]
    for key in others:
        own = (*path, key)
        if level is PluginEntry:
            is_typo = _alike(key, wanted, _SIMILAR_KEYS)
            fix = f"did you mean '{wanted}'?" if is_typo else f"move it to {format_key_path(section)}"
            yield Diagnostic(own, "is not read", fix=fix)
        elif wanted not in value and _alike(key, wanted, _SIMILAR_KEYS if level else _SIMILAR_IDS):
            yield Diagnostic(own, "is not read", fix=f"did you mean '{wanted}'?")
        elif level is not None and _alike(key, entry, _SIMILAR_IDS):
            yield Diagnostic(own, "is not read", fix=f"move it to {format_key_path(section[:3])}")


def _known_keys(level: type[Block] | None) -> Collection[str]:
    if level is None:
        return ()
    return {*map(to_camel, level.model_fields), *OPENCLAW_KEYS[level]}


def _alike(key: str, wanted: str, similarity: float) -> bool:
    return bool(difflib.get_close_matches(_letters(key), [_letters(wanted)], n=1, cutoff=similarity))


def _letters(key: str) -> str:
    return "".join(letter for letter in key.casefold() if letter.isalnum())


def _located(problem: Diagnostic, file: Json5File) -> Diagnostic:
    if problem.location:
        return problem
    line, column = nearest_position(file.source_map.spans, problem.path)
    return replace(problem, location=file.location(line, column))
