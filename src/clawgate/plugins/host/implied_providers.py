"""Finds providers that need no block in ``models.providers``: the settings of an enabled bundled plugin imply it.

A block in the config wins as a whole. Where the settings are invalid the block is empty: the provider is known, and
the plugin's host refuses its requests with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from clawgate.plugins.api import ImpliesProvider
from clawgate.plugins.host.bundled import bundled_manifests
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import load_plugin, plugin_settings
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.schema.openclaw import OpenClawConfig, PluginEntry


def implied_blocks(config: OpenClawConfig, environment: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    """Return the blocks by the provider's id."""
    blocks: dict[str, Mapping[str, object]] = {}
    for manifest in bundled_manifests():
        entry = config.plugins.entries.get(manifest.id)
        missing = [name for name in manifest.providers if name not in config.models.providers]
        plugin = DiscoveredPlugin(id=manifest.id, origin="bundled", source="clawgate", manifest=manifest)
        if entry is not None and missing and enabled_reason(plugin, config.plugins, ())[0]:
            blocks |= {name: {} for name in missing} | _of(plugin, entry, environment)
    return blocks


def _of(
    plugin: DiscoveredPlugin, entry: PluginEntry, environment: Mapping[str, str]
) -> dict[str, Mapping[str, object]]:
    try:
        loaded = load_plugin(plugin)
        settings = plugin_settings(loaded, entry.config, environment)
    except (PluginFailed, SettingsInvalid):
        return {}
    return {
        one.id: one.implied_block(settings, environment)
        for one in loaded.providers
        if isinstance(one, ImpliesProvider)
    }
