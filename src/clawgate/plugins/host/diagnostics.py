"""Would the plugins that the config wants run with what it says of them, and if not: why, and where does that stand?

For the commands that judge a config. The settings of what came with clawgate are judged where they stand, wanted or
not; code of any other plugin runs only where the config has it on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.host.hooks import check_config
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import LoadedPlugin, load_plugin, plugin_settings
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.references import resolve_references

Kind = Literal["broken", "wrong", "unset", "unfit"]
"""The plugin itself cannot be used; a setting cannot be; one is lacking; several do not fit together."""


@dataclass(frozen=True, slots=True)
class PluginDiagnostic:
    """``next_step`` is "" where the problem says it."""

    plugin: str
    kind: Kind
    problem: Diagnostic
    next_step: str = ""

    def __str__(self) -> str:
        return f"{self.problem}: {self.next_step}" if self.next_step else str(self.problem)


def examined(file: ConfigFile, state_dir: Path, *, bundled: Path | None = None) -> list[PluginDiagnostic]:
    """What would keep a plugin from running, or its providers from being asked."""
    found = find_plugins(state_dir, bundled=bundled)
    return [finding for one in found if _is_meant(one, file) for finding in _of(one, file)]


def placed(plugin: str, error: SettingsInvalid, file: ConfigFile) -> list[Diagnostic]:
    """The problems of a plugin's settings, each with its place in ``file``."""
    return [_placed(_block(plugin), problem, file) for problem in error.problems]


def _is_meant(found: DiscoveredPlugin, file: ConfigFile) -> bool:
    entry = file.config.plugins.entries.get(found.id)
    written = found.origin == "bundled" and entry is not None and bool(entry.config)
    return written or _is_on(found, file)


def _is_on(found: DiscoveredPlugin, file: ConfigFile) -> bool:
    return enabled_reason(found, file.config.plugins, file.config.models.providers)[0]


def _of(found: DiscoveredPlugin, file: ConfigFile) -> Iterator[PluginDiagnostic]:
    try:
        loaded = load_plugin(found)
        yield from _of_loaded(loaded, file, is_on=_is_on(found, file))
    except PluginFailed as error:
        where: KeyPath = ("plugins", "entries", found.id)
        said = Diagnostic(
            where,
            f"the plugin '{found.id}' cannot be used: {error}",
            location=file.place(where),
        )
        yield PluginDiagnostic(
            found.id, "broken", said, f"until it is mended: clawgate plugins disable {found.id}"
        )


def _of_loaded(loaded: LoadedPlugin, file: ConfigFile, *, is_on: bool) -> Iterator[PluginDiagnostic]:
    entry = file.config.plugins.entries.get(loaded.id)
    config = entry.config if entry is not None else {}
    settings: BaseModel | None
    try:
        settings = plugin_settings(loaded, config, file.environment)
    except SettingsInvalid as error:
        problems = placed(loaded.id, error, file)
        for problem in problems:
            if is_on or not problem.unset:
                yield PluginDiagnostic(loaded.id, "unset" if problem.unset else "wrong", problem)
        settings = _as_if_set(loaded, config, file) if all(problem.unset for problem in problems) else None
    if settings is not None and is_on:
        yield from _notes(loaded, settings, file)


class _AnyVariable(dict[str, str]):
    """Variables that are set somewhere, though not in this environment."""

    def __missing__(self, name: str) -> str:
        return f"stands-for-{name}"

    def get(self, name: str, default: object = None) -> str:
        return self[name]


def _as_if_set(loaded: LoadedPlugin, config: Mapping[str, object], file: ConfigFile) -> BaseModel | None:
    """With something in the place of each variable that only the gateway may know; None if that will not do."""
    try:
        block, _ = resolve_references(dict(config), _AnyVariable(file.environment))
        assert isinstance(block, dict)
        return plugin_settings(loaded, block, file.environment)
    except SettingsInvalid:
        return None


def _notes(loaded: LoadedPlugin, settings: BaseModel, file: ConfigFile) -> Iterator[PluginDiagnostic]:
    for provider in loaded.providers:
        for note in check_config(provider, file.raw, settings):
            problem = Diagnostic(note.path, note.message, location=file.place(note.path))
            yield PluginDiagnostic(loaded.id, "unfit", problem, note.next_step)


def _block(plugin: str) -> KeyPath:
    return ("plugins", "entries", plugin, "config")


def _placed(block: KeyPath, problem: Diagnostic, file: ConfigFile) -> Diagnostic:
    """Of what is set by a variable, that stays the place."""
    block_name = f'plugins.entries."{block[2]}".config'
    in_file = not problem.location or problem.location.startswith(block_name)
    own = (*block, *problem.path)
    return replace(problem, path=own, location=file.place(own) if in_file else problem.location)
