"""``clawgate plugins``: lists and inspects plugins; groups the commands that install and enable them.

Must not run code of a plugin; only `inspect --runtime` loads one, if it is enabled.
"""

from __future__ import annotations

import json
import sys

import click

from clawgate.cli.context import load_config
from clawgate.cli.errors import fail, print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.plugins.enable import disable, enable
from clawgate.cli.plugins.install import install, uninstall
from clawgate.cli.plugins.lookup import enabled_by_config, find_plugin, plugin_argument


@click.group()
def plugins() -> None:
    """Plugins: list, inspect, install, enable, disable, uninstall."""


plugins.add_command(disable)
plugins.add_command(enable)
plugins.add_command(install)
plugins.add_command(uninstall)


@plugins.command("list")
@json_option
@path_options
def list_plugins(config: str | None, as_json: bool) -> None:
    """List all plugins, and whether the config enables them."""
    from clawgate.cli.plugins.listing import COLUMNS, PluginRow
    from clawgate.cli.terminal.table import print_table
    from clawgate.plugins.host.discovery import find_plugins, installed_folder

    loaded = load_config(config)
    state = loaded.paths.state
    rows = [PluginRow(one, *enabled_by_config(one, loaded.file)) for one in find_plugins(state)]
    problems = [f"{row.plugin.id}: {row.plugin.problem}" for row in rows if row.plugin.problem is not None]
    if as_json:
        output = {"plugins": [row.to_json() for row in rows], "diagnostics": problems}
        click.echo(json.dumps(output, indent=2))
        return
    enabled = sum(row.status == "enabled" for row in rows)
    click.echo(f"Plugins ({enabled}/{len(rows)} enabled)")
    click.echo(f"Folder of installed plugins: {installed_folder(state)}")
    if loaded.file.config.plugins.enabled is False:
        click.echo("All plugins are disabled: plugins.enabled is false")
    if rows:
        click.echo("")
        print_table(COLUMNS, [row.cells() for row in rows])
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)


@plugins.command(short_help="Show a plugin's origin, rights and settings.")
@plugin_argument
@json_option
@click.option(
    "--runtime", is_flag=True, help="Load the plugin, if it is enabled, and show what its code registers."
)
@path_options
def inspect(plugin: str, config: str | None, as_json: bool, runtime: bool) -> None:
    """Show where a plugin is from, what it may do, and which settings it has."""
    from clawgate.cli.plugins.listing import PluginRow, aligned, runtime_json
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import load_plugin

    loaded = load_config(config)
    discovered = find_plugin(loaded, plugin)
    row = PluginRow(discovered, *enabled_by_config(discovered, loaded.file))
    output, problem = row.to_json(), None
    if runtime:
        if not row.enabled:
            fail(f"the plugin '{plugin}' is not enabled; enable it with: clawgate plugins enable {plugin}")
        try:
            output |= runtime_json(load_plugin(discovered))
        except PluginFailed as error:
            problem = str(error)
            output |= {"imported": False, "status": "error", "problem": problem}
    if as_json:
        click.echo(json.dumps(output, indent=2))
    else:
        for line in row.lines():
            click.echo(line)
        if runtime and problem is None:
            click.echo("\nLoaded:")
            facts = [
                (key, _to_text(output[key]))
                for key in ("services", "providerIds", "cliCommands", "toolNames")
            ]
            for line in aligned(facts):
                click.echo(f"  {line}")
    if problem is not None:
        print_error(f"the plugin '{plugin}' cannot be used: {problem}")
        sys.exit(ExitCode.FAILED)


def _to_text(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
