"""Finds what a valid config does not do as its author may expect, for `config validate` and `config set`.

That is: what OpenClaw would reject, providers that cannot serve, models that no provider has, and plugins that could
not run. `config validate` prints all of it, `config set` what its change adds.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from clawgate.cli.paths import Paths, read_config_at
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.file import json5_file
from clawgate.settings.json5.source_map import InvalidJson5, nearest_position
from clawgate.settings.key_path import KeyPath, in_document
from clawgate.settings.openclaw.update import BringsProblems
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact_name

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile


def warnings_of(file: ConfigFile) -> list[str]:
    """Return one sentence for each warning, with its key path. Must not hold a value that could be a secret."""
    return [*map(str, (*file.warnings, *_serving_notes(file))), *_of_catalog(file)]


def _serving_notes(file: ConfigFile) -> list[Diagnostic]:
    from clawgate.settings.openclaw.gateway import serving_notes

    return serving_notes(file)


def _of_catalog(file: ConfigFile) -> list[str]:
    from clawgate.providers.catalog import build_catalog
    from clawgate.providers.endpoint import endpoint_note

    catalog = build_catalog(file.config, file.unset, file.environment)
    configured = [one for name, one in catalog.providers.items() if name in file.config.models.providers]
    not_ready = [f"{one.id} cannot serve: {one.problem}" for one in configured if one.problem]
    texts = [*not_ready, *filter(None, map(endpoint_note, configured)), *catalog.notes]
    for name in file.config.models.providers:  # one may be a key, given the wrong way round
        texts = [text.replace(name, redact_name(name)) for text in texts]
    return texts


def warnings_at(paths: Paths, path: KeyPath) -> list[str]:
    """Return the warnings of the file, and those of plugins if ``path`` may concern one.

    Empty for an invalid file, whose problems are reported instead.
    """
    file, _ = read_config_at(paths)
    if file is None:
        return []
    plugins = [one for one in _examine(file, paths, path) if not one.is_error]
    # Without a line number: a change moves lines, and an old warning stays the same.
    located = [*file.warnings, *_serving_notes(file), *plugins]
    return [*(str(one.without_location()) for one in located), *_of_catalog(file)]


def validate_for_plugins(after: str, before: str, paths: Paths, path: KeyPath) -> str:
    """Return ``after``. Raises `BringsProblems` if it has invalid settings of plugins that ``before`` has not."""
    old = {_identity(one) for one in _invalid_settings(before, paths, path)}
    new = [one for one in _invalid_settings(after, paths, path) if _identity(one) not in old]
    if new:
        raise BringsProblems(new)
    return after


def validate_for_openclaw(after: str, paths: Paths, path: KeyPath) -> str:
    """Return ``after``. Raises `BringsProblems` for a value at ``path`` that OpenClaw rejects."""
    from clawgate.settings.openclaw.compatibility import rejected_values
    from clawgate.settings.openclaw.config_file import validate

    try:
        file = json5_file(paths.config, after)
        validate(file, os.environ)
    except (InvalidJson5, SettingsInvalid):
        return after  # its writer reports that
    own = in_document(path, file.value)
    wrong = [
        replace(one, location=file.location(*nearest_position(file.source_map.spans, one.path)))
        for one in rejected_values(file.value)
        if one.path[: len(own)] == own
    ]
    if wrong:
        raise BringsProblems(wrong)
    return after


def _invalid_settings(text: str, paths: Paths, path: KeyPath) -> list[Diagnostic]:
    """Return the invalid settings of plugins; none for an invalid text, which its writer reports."""
    from clawgate.settings.openclaw.config_file import validate

    try:
        file = validate(json5_file(paths.config, text), os.environ)
    except (InvalidJson5, SettingsInvalid):
        return []
    return [one for one in _examine(file, paths, path) if one.is_error]


def _examine(file: ConfigFile, paths: Paths, path: KeyPath) -> list[Diagnostic]:
    """Return the diagnostics of plugins and of lists of tools.

    Loads plugins, so not for a change that turns one on or off, nor for one that cannot concern any.
    """
    if path[:1] in (("tools",), ("agents",)):
        from clawgate.agents.definition.tool_diagnostics import tool_diagnostics

        return tool_diagnostics(file, paths.state)
    of_plugin = path[:2] == ("plugins", "entries") and path[3:] != ("enabled",)
    if not of_plugin and path[:2] != ("models", "providers"):
        return []
    from clawgate.plugins.host.diagnostics import plugin_diagnostics

    return plugin_diagnostics(file, paths.state)


def _identity(diagnostic: Diagnostic) -> tuple[str, str]:
    return diagnostic.key, diagnostic.text
