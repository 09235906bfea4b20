"""Which plugins does this process use? Those that are there, that the config wants, and that can be loaded.

What fails is a line in `Registry.failures` and never an exception: a gateway starts without its broken plugins, and the
providers of those cannot be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clawgate.plugins.api import CommandPlugin, ProviderPlugin
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.host.isolation import LOAD_SECONDS, PluginFailed
from clawgate.plugins.host.loader import EarlierVersionLoaded, LoadedPlugin, load_plugin
from clawgate.settings.openclaw.schema import OpenClawConfig


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that is wanted and cannot be used. ``providers``: those of its manifest; they have to be refused.

    ``replaced``: only its new files cannot be; who has loaded it before can go on with that.
    """

    plugin: str
    reason: str
    providers: tuple[str, ...] = ()
    replaced: bool = False

    def __str__(self) -> str:
        return f"the plugin '{self.plugin}' cannot be used: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """The plugins that were loaded, in the order in which they are to start, and those that were not."""

    loaded: tuple[LoadedPlugin, ...]
    failures: tuple[PluginFailure, ...]

    def after(self, before: Registry) -> Registry:
        """With those that were loaded ``before`` in place of new files that this process cannot load any more."""
        replaced = {failure.plugin for failure in self.failures if failure.replaced}
        kept = tuple(one for one in before.loaded if one.id in replaced)
        ids = {one.id for one in kept}
        left = tuple(failure for failure in self.failures if failure.plugin not in ids)
        return Registry((*self.loaded, *kept), left)

    def provider(self, provider: str) -> tuple[LoadedPlugin, ProviderPlugin] | None:
        """The provider of this id, and the plugin that it belongs to."""
        return next(((one, its) for one in self.loaded for its in one.providers if its.id == provider), None)

    def command(self, name: str) -> tuple[LoadedPlugin, CommandPlugin] | None:
        return next(((one, its) for one in self.loaded for its in one.commands if its.name == name), None)

    def why_refused(self, provider: str) -> str | None:
        """Why nobody may be asked as ``provider``: it belongs to a plugin that cannot be used."""
        return next((str(failure) for failure in self.failures if provider in failure.providers), None)


def load_plugins(
    config: OpenClawConfig,
    state_dir: Path,
    *,
    seconds: float = LOAD_SECONDS,
    wanted: Callable[[DiscoveredPlugin], bool] = lambda found: True,
    bundled: Path | None = None,
) -> Registry:
    """Load what ``config`` wants; of that only what is ``wanted``."""
    loaded: list[LoadedPlugin] = []
    failures: list[PluginFailure] = []
    for found in find_plugins(state_dir, bundled=bundled):
        if not enabled_reason(found, config.plugins, config.models.providers)[0] or not wanted(found):
            continue
        try:
            _ask_for_free_names(found, loaded)
            loaded.append(load_plugin(found, seconds=seconds))
        except PluginFailed as error:
            providers = found.manifest.providers if found.manifest is not None else (found.id,)
            taken = {its for one in loaded if one.found.manifest for its in one.found.manifest.providers}
            kept = tuple(provider for provider in providers if provider not in taken)
            replaced = isinstance(error, EarlierVersionLoaded)
            failures.append(PluginFailure(found.id, str(error), kept, replaced))
    return Registry(tuple(loaded), tuple(failures))


def _ask_for_free_names(found: DiscoveredPlugin, loaded: list[LoadedPlugin]) -> None:
    if found.manifest is None:
        return
    for other in (one.found.manifest for one in loaded):
        assert other is not None
        for kind, mine, theirs in (
            ("provider", found.manifest.providers, other.providers),
            ("command", found.manifest.commands, other.commands),
        ):
            for name in mine:
                if name in theirs:
                    raise PluginFailed(f"the {kind} '{name}' belongs to the plugin '{other.id}' already")
