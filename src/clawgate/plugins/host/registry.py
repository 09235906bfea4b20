"""Loads the plugins that the config enables and records those that fail.

A plugin that fails is an entry in `Registry.failures`, never an exception: the gateway starts without it, and requests
to its providers are rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clawgate.plugins.api import CommandPlugin, DeclaredProvider
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.host.hooks import further_dialects
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import EarlierVersionLoaded, LoadedPlugin, load_plugin
from clawgate.plugins.host.manifest import Manifest
from clawgate.settings.schema.openclaw import OpenClawConfig


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """An enabled plugin that cannot be used. Requests to ``providers``, those of its manifest, must be rejected.

    ``replaced``: its files were replaced by a version that this process cannot load; the loaded one still works.
    """

    plugin: str
    reason: str
    providers: tuple[str, ...] = ()
    replaced: bool = False

    def __str__(self) -> str:
        return f"the plugin '{self.plugin}' cannot be used: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """The plugins that were loaded, in start order, and those that failed."""

    loaded: tuple[LoadedPlugin, ...]
    failures: tuple[PluginFailure, ...]
    disabled: tuple[Manifest, ...] = ()
    """Of the plugins that the config does not enable."""

    def after(self, before: Registry) -> Registry:
        """Return this registry with plugins of ``before`` in place of replaced files that cannot be loaded now."""
        replaced = {failure.plugin for failure in self.failures if failure.replaced}
        kept = tuple(one for one in before.loaded if one.id in replaced)
        ids = {one.id for one in kept}
        failures = [failure for failure in self.failures if failure.plugin not in ids]
        loaded: list[LoadedPlugin] = []
        for one in self.loaded:
            try:
                check_names_are_free(one.discovered, kept)
                loaded.append(one)
            except PluginFailed as error:
                failures.append(PluginFailure(one.id, str(error)))
        return Registry((*loaded, *kept), tuple(failures), self.disabled)

    def provider(self, provider: str) -> tuple[LoadedPlugin, DeclaredProvider] | None:
        return next(((one, its) for one in self.loaded for its in one.providers if its.id == provider), None)

    def further_dialects(self, provider: str) -> tuple[str, ...]:
        """Return what the provider's plugin says that it speaks beside its ``api`` in the config."""
        found = self.provider(provider)
        return further_dialects(found[0].id, found[1]) if found is not None else ()

    def command(self, name: str) -> tuple[LoadedPlugin, CommandPlugin] | None:
        return next(((one, its) for one in self.loaded for its in one.commands if its.name == name), None)

    def disabled_supervisor(self, provider: str) -> str | None:
        """Return the disabled plugin without which nothing checks who listens at the provider's address."""
        return next((one.id for one in self.disabled if provider in one.supervised_providers), None)

    def failure_of(self, provider: str) -> str | None:
        """Return why requests to ``provider`` must be rejected: its plugin cannot be used. None if it can."""
        return next((str(failure) for failure in self.failures if provider in failure.providers), None)


def load_plugins(
    config: OpenClawConfig,
    state_dir: Path,
    environment: Mapping[str, str] | None = None,
    *,
    bundled: Path | None = None,
) -> Registry:
    """Load the plugins that ``config`` or a variable of ``environment`` enables."""
    loaded: list[LoadedPlugin] = []
    failures: list[PluginFailure] = []
    disabled: list[Manifest] = []
    for plugin in find_plugins(state_dir, bundled=bundled):
        if not enabled_reason(plugin, config.plugins, config.models.providers, environment)[0]:
            if plugin.manifest is not None:
                disabled.append(plugin.manifest)
            continue
        try:
            check_names_are_free(plugin, loaded)
            loaded.append(load_plugin(plugin))
        except PluginFailed as error:
            providers = plugin.manifest.providers if plugin.manifest is not None else (plugin.id,)
            taken = {its.id for one in loaded for its in one.providers}
            rejected = tuple(provider for provider in providers if provider not in taken)
            replaced = isinstance(error, EarlierVersionLoaded)
            failures.append(PluginFailure(plugin.id, str(error), rejected, replaced))
    return Registry(tuple(loaded), tuple(failures), tuple(disabled))


def check_names_are_free(plugin: DiscoveredPlugin, loaded: Sequence[LoadedPlugin]) -> None:
    """Raise `PluginFailed` if one of ``loaded`` has a name that ``plugin`` registers."""
    if plugin.manifest is None:
        return
    for other in (one.discovered.manifest for one in loaded):
        assert other is not None
        pairs = zip(plugin.manifest.names_by_kind(), other.names_by_kind(), strict=True)
        for (kind, mine), (_, theirs) in pairs:
            taken = {name.lower() for name in theirs}  # the lists of allowed tools know no case
            for name in (one for one in mine if one.lower() in taken):
                raise PluginFailed(f"the {kind} '{name}' is already registered by the plugin '{other.id}'")
