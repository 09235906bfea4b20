"""Finds providers that need no block in ``models.providers``: the settings of an enabled bundled plugin imply it.

A block in the config wins as a whole. Settings that cannot be used are the problem of their provider, which is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from clawgate.plugins.api import ImpliesProvider
from clawgate.plugins.host.bundled import bundled_manifests
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason
from clawgate.plugins.host.isolation import PluginFailed
from clawgate.plugins.host.loader import load_plugin, plugin_settings
from clawgate.settings.fields import variables_of
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.schema.openclaw import OpenClawConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedProvider:
    """``block`` is empty with a ``problem``, and where the settings imply none. ``path`` is where they are.

    ``own`` is what the provider has below ``plugins.entries.clawgate.config.providers``.
    """

    path: KeyPath
    block: Mapping[str, object] = field(default_factory=dict, repr=False)
    own: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None
    network_setting: str = ""
    """The key path of the plugin's own setting for a private address, if it has one."""
    address_variable: str = ""
    """The variable of the environment that its address is from, if it is."""


def implied_providers(config: OpenClawConfig, environment: Mapping[str, str]) -> dict[str, ImpliedProvider]:
    """Return them by their id."""
    found: dict[str, ImpliedProvider] = {}
    for manifest in bundled_manifests():
        missing = [name for name in manifest.providers if name not in config.models.providers]
        plugin = DiscoveredPlugin(id=manifest.id, origin="bundled", source="clawgate", manifest=manifest)
        if missing and enabled_reason(plugin, config.plugins, (), environment)[0]:
            path: KeyPath = ("plugins", "entries", manifest.id, "config")
            entry = config.plugins.entries.get(manifest.id)
            try:
                found |= _of(plugin, path, entry.config if entry is not None else {}, environment)
            except (PluginFailed, SettingsInvalid) as error:
                problem = f"{format_key_path(path)}: {error}"
                found |= {name: ImpliedProvider(path=path, problem=problem) for name in missing}
    return {name: one for name, one in found.items() if name not in config.models.providers}


def _of(
    plugin: DiscoveredPlugin, path: KeyPath, config: Mapping[str, object], environment: Mapping[str, str]
) -> Iterator[tuple[str, ImpliedProvider]]:
    loaded = load_plugin(plugin)
    settings = plugin_settings(loaded, config, environment)
    setting = format_key_path((*path, "allowPrivateNetwork"))
    for provider in loaded.providers:
        if isinstance(provider, ImpliesProvider):
            block = dict(provider.implied_block(settings, environment))
            own = block.pop("own", {})
            yield (
                provider.id,
                ImpliedProvider(
                    path=path,
                    block=block,
                    own=own if isinstance(own, Mapping) else {},
                    network_setting=setting if "allow_private_network" in type(settings).model_fields else "",
                    address_variable=_address_variable(settings, environment),
                ),
            )


def _address_variable(settings: BaseModel, environment: Mapping[str, str]) -> str:
    field = type(settings).model_fields.get("base_url")
    names = () if field is None else variables_of(field)
    return next((name for name in names if environment.get(name)), "")
