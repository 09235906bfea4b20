"""Finds the plugin that a command names; completes plugin ids for the shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from clawgate.cli.context import LoadedConfig
from clawgate.cli.errors import fail
from clawgate.cli.paths import find_paths
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.install.javascript import counterpart
from clawgate.policy.typos import typo_of
from clawgate.settings.openclaw.config_file import ConfigFile


def _complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete plugin ids. Must not print, even for an unusable config."""
    try:
        plugins = find_plugins(find_paths(ctx.params.get("config")).state)
    except (click.UsageError, OSError):
        return []
    return [CompletionItem(one.id) for one in plugins if one.id.startswith(incomplete)]


plugin_argument = click.argument("plugin", metavar="ID", shell_complete=_complete_id)


def find_plugin(loaded: LoadedConfig, plugin: str) -> DiscoveredPlugin:
    """Return the plugin of this id, a usable one if several have it; an unknown id ends the command."""
    known = find_plugins(loaded.paths.state)
    plugins = [one for one in known if one.id == plugin]
    if not plugins:
        shown = plugin if plugin.isprintable() else ascii(plugin)[1:-1]
        near = counterpart(plugin.rpartition("/")[2]) or typo_of(plugin, [one.id for one in known])
        suggestion = f"; did you mean '{near}'?" if near else ";"
        fail(f"plugin not found: {shown}{suggestion} to see all plugins: clawgate plugins list")
    return next((one for one in plugins if one.problem is None), plugins[0])


def enabled_by_config(plugin: DiscoveredPlugin, file: ConfigFile) -> tuple[bool, str]:
    return enabled_reason(plugin, file.config.plugins, file.config.models.providers, file.environment)
