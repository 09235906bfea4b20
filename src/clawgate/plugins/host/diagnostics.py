"""Checks whether the plugins that the config enables would run with their settings.

For the commands that validate a config. The settings of bundled plugins are checked whether enabled or not. Invariant:
the code of any other plugin runs only if the config enables it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.host.hooks import check_config
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import LoadedPlugin, load_plugin, plugin_settings
from clawgate.plugins.host.registry import check_names_are_free
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.references import resolve_references


def plugin_diagnostics(file: ConfigFile, state_dir: Path) -> list[Diagnostic]:
    """Return what would keep a plugin from running, or requests from reaching its providers.

    An invalid setting is an error. A plugin that cannot be used, a missing setting (`Diagnostic.unset`) and settings
    that do not fit together are warnings.
    """
    loaded: list[LoadedPlugin] = []
    plugins = find_plugins(state_dir)
    return [
        found for plugin in plugins if _is_checked(plugin, file) for found in _check(plugin, file, loaded)
    ]


def locate_problems(plugin: str, error: SettingsInvalid, file: ConfigFile) -> list[Diagnostic]:
    """Return the problems of a plugin's settings with their paths and locations in ``file``."""
    return [_locate(_block_path(plugin), problem, file) for problem in error.problems]


def _is_checked(plugin: DiscoveredPlugin, file: ConfigFile) -> bool:
    entry = file.config.plugins.entries.get(plugin.id)
    has_settings = (
        plugin.origin == "bundled" and entry is not None and bool(entry.config or entry.model_extra)
    )
    return has_settings or _is_enabled(plugin, file)


def _is_enabled(plugin: DiscoveredPlugin, file: ConfigFile) -> bool:
    return enabled_reason(plugin, file.config.plugins, file.config.models.providers, file.environment)[0]


def _check(plugin: DiscoveredPlugin, file: ConfigFile, before: list[LoadedPlugin]) -> Iterator[Diagnostic]:
    """``before`` are the enabled plugins that were loaded before it, and gets it if it is one."""
    try:
        is_enabled = _is_enabled(plugin, file)
        if is_enabled:
            check_names_are_free(plugin, before)
        loaded = load_plugin(plugin)
        if is_enabled:
            before.append(loaded)
        yield from _check_loaded(loaded, file, is_enabled=is_enabled)
    except PluginFailed as error:
        path: KeyPath = ("plugins", "entries", plugin.id)
        message = f"the plugin '{plugin.id}' cannot be used: {error}"
        fix = f"fix the plugin, or: clawgate plugins disable {plugin.id}"
        yield Diagnostic(path, message, Severity.WARNING, fix, location=file.location(path))


def _check_loaded(loaded: LoadedPlugin, file: ConfigFile, *, is_enabled: bool) -> Iterator[Diagnostic]:
    config: Mapping[str, object] = {}
    settings: BaseModel | None
    try:
        config = file.plugin_config(loaded.id)
        settings = plugin_settings(loaded, config, file.environment)
    except SettingsInvalid as error:
        problems = locate_problems(loaded.id, error, file)
        for problem in problems:
            if not problem.unset:
                yield problem
            elif is_enabled:
                yield replace(problem, severity=Severity.WARNING)
        settings = _as_if_set(loaded, config, file) if all(problem.unset for problem in problems) else None
    if settings is not None and is_enabled:
        yield from _check_together(loaded, settings, file)


class _AnyVariable(dict[str, str]):
    """An environment in which every variable has a value."""

    def __missing__(self, name: str) -> str:
        return f"stands-for-{name}"

    def get(self, name: str, default: object = None) -> str:
        return self[name]


def _as_if_set(loaded: LoadedPlugin, config: Mapping[str, object], file: ConfigFile) -> BaseModel | None:
    """Return the settings with a value for each variable that only the gateway may have; None if they stay invalid."""
    try:
        block, _ = resolve_references(dict(config), _AnyVariable(file.environment))
        assert isinstance(block, dict)
        return plugin_settings(loaded, block, file.environment)
    except SettingsInvalid:
        return None


def _check_together(loaded: LoadedPlugin, settings: BaseModel, file: ConfigFile) -> Iterator[Diagnostic]:
    for provider in loaded.providers:
        for found in check_config(provider, file.raw, settings):
            yield replace(
                found, severity=min(found.severity, Severity.WARNING), location=file.location(found.path)
            )


def _block_path(plugin: str) -> KeyPath:
    return ("plugins", "entries", plugin, "config")


def _locate(block: KeyPath, problem: Diagnostic, file: ConfigFile) -> Diagnostic:
    """A value that a variable set keeps the variable as its location."""
    block_name = f'plugins.entries."{block[2]}".config'
    in_file = not problem.location or problem.location.startswith(block_name)
    path = (*block, *problem.path)
    return replace(problem, path=path, location=file.location(path) if in_file else problem.location)
