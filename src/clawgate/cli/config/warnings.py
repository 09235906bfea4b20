"""What of a config file that can be used does not do what somebody may think it does?

What OpenClaw would refuse in it, providers that cannot serve, models that are named and that no provider has, plugins
that could not run with it. One place for ``config validate``, which tells all of them, and ``config set``, which tells
those that a change brings.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clawgate.cli.paths import Paths, read

if TYPE_CHECKING:
    from clawgate.plugins.host.diagnostics import PluginDiagnostic
    from clawgate.settings.key_path import KeyPath
    from clawgate.settings.openclaw.config_file import ConfigFile


def warnings_of(file: ConfigFile) -> list[str]:
    """One sentence each, with its key path; no value that could be a secret."""
    from clawgate.providers.catalog import build_catalog

    catalog = build_catalog(file.config, file.unset, file.environment)
    written = [found for name, found in catalog.providers.items() if name in file.config.models.providers]
    lame = [f"{found.id} cannot serve: {found.why_not_ready}" for found in written if found.why_not_ready]
    return [*file.warnings, *lame, *catalog.notes]


def warnings_at(where: Paths, path: KeyPath) -> list[str]:
    """The same for the file there, and what a plugin says of it if ``path`` may matter to one.

    None for a file that cannot be used, of which worse things are told.
    """
    file, _ = read(where)
    if file is None:
        return []
    plugins = _examined(file, where, path)
    return [*warnings_of(file), *(_without_place(one) for one in plugins if one.kind != "wrong")]


def judged_for_plugins(after: str, before: str, where: Paths, path: KeyPath) -> str:
    """``after``, if no plugin's settings are wrong in it that were not in ``before``. Raises `BringsProblems`."""
    from clawgate.settings.openclaw.update import BringsProblems

    had = {_same(one) for one in _wrong(before, where, path)}
    if fresh := [one.diagnostic for one in _wrong(after, where, path) if _same(one) not in had]:
        raise BringsProblems(fresh)
    return after


def _wrong(text: str, where: Paths, path: KeyPath) -> list[PluginDiagnostic]:
    """None for a text that cannot be used: whoever writes it says so."""
    from clawgate.settings.json5.file import Json5File, parsed
    from clawgate.settings.json5.source_map import InvalidJson5
    from clawgate.settings.openclaw.config_file import validate
    from clawgate.settings.problems import SettingsInvalid

    try:
        file = validate(Json5File(where.config, text, "", 0o600, *parsed(text)), os.environ)
    except (InvalidJson5, SettingsInvalid):
        return []
    return [one for one in _examined(file, where, path) if one.kind == "wrong"]


def _examined(file: ConfigFile, where: Paths, path: KeyPath) -> list[PluginDiagnostic]:
    """Plugins are loaded for that, so not for a change that turns one on or off, or that none can mind."""
    of_plugin = path[:2] == ("plugins", "entries") and path[3:] != ("enabled",)
    if not of_plugin and path[:2] != ("models", "providers"):
        return []
    from clawgate.plugins.host.diagnostics import plugin_diagnostics

    return plugin_diagnostics(file, where.state)


def _same(finding: PluginDiagnostic) -> tuple[str, str]:
    return finding.diagnostic.key, finding.diagnostic.text


def _without_place(finding: PluginDiagnostic) -> str:
    """A change moves lines, and what was wrong before stays the same."""
    return f"{finding.diagnostic.key}: {finding.diagnostic.text}"
