"""``clawgate plugins enable`` and ``disable``: turns a plugin on or off in the config, and checks its settings."""

from __future__ import annotations

import click

from clawgate.cli.context import LoadedConfig, load_config, print_effect_of, print_written, write_config
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.paths import path_options, read_config_at
from clawgate.cli.plugins.lookup import find_plugin, plugin_argument
from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.settings.json5.edit import set_value
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.problems import SettingsInvalid


@click.command(short_help="Enable a plugin and check its settings.")
@plugin_argument
@path_options
def enable(plugin: str, config: str | None) -> None:
    """Enable a plugin. Its settings are checked, and what is missing is listed."""
    loaded = load_config(config)
    discovered = find_plugin(loaded, plugin)
    if discovered.problem is not None:
        fail(f"the plugin '{plugin}' cannot be used: {discovered.problem}", outcome=UNCHANGED)
    enable_plugin(discovered, loaded)


@click.command(short_help="Disable a plugin; its files and settings stay.")
@plugin_argument
@path_options
def disable(plugin: str, config: str | None) -> None:
    """Disable a plugin. Its files stay, and so do its settings and providers in the config."""
    loaded = load_config(config)
    find_plugin(loaded, plugin)
    path = ("plugins", "entries", plugin, "enabled")
    written = write_config(loaded.path, lambda text: set_value(text, path, False))
    print_written(loaded.path, written)
    click.echo(f'Disabled plugin "{plugin}".')
    print_effect_of(loaded.paths, written)


def enable_plugin(plugin: DiscoveredPlugin, loaded: LoadedConfig) -> None:
    """Enable ``plugin`` in the config and print what keeps it from working."""
    block = loaded.file.config.plugins
    if plugin.id in block.deny:
        fail(f"plugins.deny lists '{plugin.id}'; remove it from that list first", outcome=UNCHANGED)

    def edit(text: str) -> str:
        if block.allow and plugin.id not in block.allow:
            text = set_value(text, ("plugins", "allow"), [*block.allow, plugin.id])
        return set_value(text, ("plugins", "entries", plugin.id, "enabled"), True)

    written = write_config(loaded.path, edit)
    print_written(loaded.path, written)
    click.echo(f'Enabled plugin "{plugin.id}".')
    print_effect_of(loaded.paths, written)
    if block.enabled is False:
        click.echo(
            "Warning: plugins.enabled is false, so no plugin runs; to change that: "
            "clawgate config set plugins.enabled true",
            err=True,
        )
    file, _ = read_config_at(loaded.paths)
    for line in _problems(plugin, file or loaded.file):
        click.echo(line, err=True)


def _problems(plugin: DiscoveredPlugin, file: ConfigFile) -> list[str]:
    """Load the plugin as the gateway will, and return the lines on what keeps it from working."""
    from clawgate.plugins.host.diagnostics import locate_problems
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import load_plugin, plugin_settings

    try:
        loaded_plugin = load_plugin(plugin)
        plugin_settings(loaded_plugin, file.plugin_config(plugin.id), file.environment)
    except PluginFailed as error:
        return [f"Warning: the plugin '{plugin.id}' cannot be used: {error}"]
    except SettingsInvalid as error:
        providers = plugin.manifest.providers if plugin.manifest is not None else ()
        return [
            "Not ready yet:",
            *(f"  - {problem}" for problem in locate_problems(plugin.id, error, file)),
            *(f"Set it up with: clawgate models auth login --provider {one}" for one in providers),
        ]
    return []
