"""Which provider is to be set up, and whose is it? clawgate's own, a plugin's, the operator's, or one that is new.

No code of a plugin runs here unless it came with clawgate or the config wants it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawgate.cli.auth.wizard.builtin_provider import OwnProvider
from clawgate.plugins.api.provider import ProviderPlugin
from clawgate.providers.catalog import BUILT_IN

if TYPE_CHECKING:
    from clawgate.plugins.host.discovery import DiscoveredPlugin
    from clawgate.settings.openclaw.schema import OpenClawConfig

CUSTOM = "custom"
"""What is said for a provider that has no name yet."""


class UnknownTarget(Exception):
    """Nothing can be set up by this name; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ProviderTarget:
    """``plugin`` is the id of the plugin that it belongs to, None for all others."""

    provider: ProviderPlugin = field(repr=False)
    plugin: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to choose. ``configured``: the config has it already."""

    id: str
    label: str
    configured: bool


class ProviderTargets:
    """All that can be set up with this config and these plugins."""

    def __init__(self, config: OpenClawConfig, raw: Mapping[str, Any], state: Path) -> None:
        from clawgate.plugins.host.discovery import find_plugins

        self._config = config
        self._raw = raw
        self._of_plugins: dict[str, DiscoveredPlugin] = {}
        for found in find_plugins(state):
            for provider in found.manifest.providers if found.manifest is not None else ():
                self._of_plugins.setdefault(provider, found)

    def offers(self) -> list[Candidate]:
        """In the order in which they are shown."""
        configured = self._config.models.providers
        found = {name: Candidate(name, f"{name}'s own API", name in configured) for name in BUILT_IN}
        for name, plugin in self._of_plugins.items():
            about = plugin.manifest.description if plugin.manifest else f"of the plugin {plugin.id}"
            found[name] = Candidate(name, about, name in configured)
        for name, block in configured.items():
            found.setdefault(name, Candidate(name, block.base_url or "", True))
        return [
            *found.values(),
            Candidate(CUSTOM, "another server that speaks like OpenAI or Anthropic", False),
        ]

    def configured(self) -> list[str]:
        return list(self._config.models.providers)

    def find(self, name: str, *, new: bool) -> ProviderTarget:
        """The provider of this name; ``new``: it may be one that the config does not have. Raises `UnknownTarget`."""
        configured = self._config.models.providers
        if not new and name not in configured:
            way = f"clawgate models auth login --provider {name}"
            if name in self._of_plugins or name in BUILT_IN:
                raise UnknownTarget(f'"{name}" is not in the config yet; to set it up: {way}')
            raise UnknownTarget(self._unknown(name, configured, way))
        if name in self._of_plugins:
            return self._of_plugin(name, self._of_plugins[name])
        if name == CUSTOM and name not in configured:
            return ProviderTarget(OwnProvider("", {}, {*configured, *BUILT_IN, *self._of_plugins, CUSTOM}))
        if name in BUILT_IN or name in configured:
            return ProviderTarget(OwnProvider(name, self.block(name)))
        known = [offer.id for offer in self.offers()]
        raise UnknownTarget(self._unknown(name, known, f"clawgate models auth login --provider {CUSTOM}"))

    def block(self, name: str) -> Mapping[str, Any]:
        """What the config says of a provider, with its references as they stand."""
        providers = self._raw.get("models", {}).get("providers", {})
        block = providers.get(name) if isinstance(providers, dict) else None
        return block if isinstance(block, dict) else {}

    @staticmethod
    def _unknown(name: str, known: Any, way: str) -> str:
        near = difflib.get_close_matches(name, known, n=1)
        mean = f' Did you mean "{near[0]}"?' if near else ""
        return (
            f'Unknown model provider "{name}".{mean} Known: {", ".join(known) or "none"}. For another: {way}'
        )

    def _of_plugin(self, name: str, found: DiscoveredPlugin) -> ProviderTarget:
        from clawgate.plugins.host.discovery import blocked_reason, enabled_reason
        from clawgate.plugins.host.isolation import PluginFailed
        from clawgate.plugins.host.loader import load_plugin

        entry = self._config.plugins.entries.get(found.id)
        wanted, why = enabled_reason(found, self._config.plugins, self._config.models.providers)
        barred = blocked_reason(found.id, self._config.plugins) is not None
        off = barred or (entry is not None and entry.enabled is False)
        if not wanted and (off or found.origin != "bundled"):
            raise UnknownTarget(
                f'"{name}" belongs to the plugin {found.id}, which is off ({why}): '
                f"run: clawgate plugins enable {found.id}"
            )
        try:
            loaded = load_plugin(found)
        except PluginFailed as error:
            raise UnknownTarget(f"the plugin '{found.id}' cannot be used: {error}") from error
        provider = next((one for one in loaded.providers if one.id == name), None)
        if provider is None:
            raise UnknownTarget(f"the plugin '{found.id}' does not have the provider '{name}'")
        return ProviderTarget(provider, found.id)
