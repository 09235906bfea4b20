"""Finds the provider to set up: a built-in, a plugin's, one of the config, or a new one.

Must not run code of a plugin unless it is bundled or the config enables it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawgate.cli.auth.wizard.builtin_provider import BuiltinProvider
from clawgate.cli.auth.wizard.implied_block import implied_block
from clawgate.plugins.api import object_at
from clawgate.plugins.api.provider import ProviderPlugin
from clawgate.plugins.host.discovery import DiscoveredPlugin, blocked_reason, enabled_reason, find_plugins
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import load_plugin
from clawgate.policy.model_routing import is_provider_id
from clawgate.policy.typos import typo_of
from clawgate.providers.built_in import BUILT_IN
from clawgate.settings.schema.openclaw import OpenClawConfig

CUSTOM = "custom"
"""Stands for a provider that has no name yet."""


class UnknownTarget(Exception):
    """No provider of this name can be set up; the text is the reason and what to do."""


@dataclass(frozen=True, slots=True)
class ProviderTarget:
    """``plugin`` is the id of the plugin that the provider belongs to, None for all others."""

    provider: ProviderPlugin = field(repr=False)
    plugin: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider to choose. ``configured``: the config has it already."""

    id: str
    label: str
    configured: bool


class ProviderTargets:
    """All providers that can be set up with this config and the plugins of this machine."""

    def __init__(
        self,
        config: OpenClawConfig,
        raw: Mapping[str, Any],
        state: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._raw = raw
        self._environment = environment or {}
        self._of_plugins: dict[str, DiscoveredPlugin] = {}
        for plugin in find_plugins(state):
            for provider in plugin.manifest.providers if plugin.manifest is not None else ():
                self._of_plugins.setdefault(provider, plugin)

    def candidates(self) -> list[Candidate]:
        """Return what can be set up, in the order of display."""
        configured = self._config.models.providers
        candidates = {
            name: Candidate(name, f"{one.base_url}, with an API key", name in configured)
            for name, one in BUILT_IN.items()
        }
        for name, plugin in self._of_plugins.items():
            label = plugin.manifest.description if plugin.manifest else f"plugin {plugin.id}"
            candidates[name] = Candidate(name, label, name in configured)
        for name, block in configured.items():
            candidates.setdefault(name, Candidate(name, str(block.base_url or ""), True))
        return [
            *candidates.values(),
            Candidate(CUSTOM, "another server with the API of OpenAI or Anthropic", False),
        ]

    def configured(self) -> list[str]:
        """Return the providers of the config: with a block, or by the settings of their plugin."""
        of_plugins = [
            name
            for name, plugin in self._of_plugins.items()
            if (entry := self._config.plugins.entries.get(plugin.id)) is not None and entry.config
        ]
        return list(dict.fromkeys([*self._config.models.providers, *of_plugins]))

    def find(self, name: str, *, new: bool) -> ProviderTarget:
        """Return the provider of this name; unless ``new``, the config must have it. Raises `UnknownTarget`."""
        configured = self.configured()
        if not new and name not in configured:
            command = f"clawgate models auth login --provider {name}"
            if name in self._of_plugins or name in BUILT_IN:
                raise UnknownTarget(f"'{name}' is not in the config yet; to set it up: {command}")
            raise UnknownTarget(_unknown(name, configured))
        if name in self._of_plugins:
            return self._of_plugin(name, self._of_plugins[name])
        if name == CUSTOM and name not in configured:
            return ProviderTarget(
                BuiltinProvider("", {}, {*configured, *BUILT_IN, *self._of_plugins, CUSTOM})
            )
        if name in BUILT_IN or name in configured:
            return self._of_any_server(name)
        raise UnknownTarget(_unknown(name, [one.id for one in self.candidates()]))

    def add(self, name: str) -> ProviderTarget:
        """Return a provider of this name that is not configured yet; any name may be one. Raises `UnknownTarget`."""
        if name in self.configured():
            raise UnknownTarget(
                f"'{name}' is configured already; to change it: clawgate models auth edit --provider {name}"
            )
        if name in self._of_plugins or name in BUILT_IN or name == CUSTOM:
            return self.find(name, new=True)
        if not is_provider_id(name):
            raise UnknownTarget(f"'{name}' is not an id; use a-z 0-9 . _ - and begin with a letter or digit")
        return self._of_any_server(name)

    def _of_plugin(self, name: str, plugin: DiscoveredPlugin) -> ProviderTarget:
        entry = self._config.plugins.entries.get(plugin.id)
        enabled, reason = enabled_reason(plugin, self._config.plugins, self._config.models.providers)
        blocked = blocked_reason(plugin.id, self._config.plugins) is not None
        disabled = blocked or (entry is not None and entry.enabled is False)
        if not enabled and (disabled or plugin.origin != "bundled"):
            raise UnknownTarget(
                f"'{name}' belongs to the plugin '{plugin.id}', which is disabled ({reason}); "
                f"enable it with: clawgate plugins enable {plugin.id}"
            )
        try:
            loaded = load_plugin(plugin)
        except PluginFailed as error:
            raise UnknownTarget(f"the plugin '{plugin.id}' cannot be used: {error}") from error
        provider = next(one for one in loaded.providers if one.id == name)  # as its manifest says
        if not isinstance(provider, ProviderPlugin):
            return self._of_any_server(name)
        return ProviderTarget(provider, plugin.id)

    def _of_any_server(self, name: str) -> ProviderTarget:
        block = object_at(self._raw, ("models", "providers", name))
        implied = None if block else implied_block(name, self._config, self._raw, self._environment)
        return ProviderTarget(BuiltinProvider(name, block, replaces=implied))


def _unknown(name: str, known: Collection[str]) -> str:
    near = typo_of(name, known)
    suggestion = f"; did you mean '{near}'?" if near else ""
    return (
        f"unknown provider '{name}'{suggestion} (known: {', '.join(known) or 'none'}); "
        f"to set up another server: clawgate models auth login --provider {CUSTOM}"
    )
