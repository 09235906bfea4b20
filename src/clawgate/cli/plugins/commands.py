"""``clawgate plugins``: which plugins there are, and how they come, are turned on and off, and go.

Nothing of a plugin runs before somebody has agreed to what its manifest says: not to install it, not to list it, not
to inspect it (``--runtime`` aside, which loads one that is enabled).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from clawgate.cli.paths import Paths, place_options, read
from clawgate.cli.plugin_changes import failed, known, plugin_of, tell_written, write
from clawgate.cli.terminal.confirm import confirmed

if TYPE_CHECKING:
    from clawgate.plugins.host.discovery import DiscoveredPlugin
    from clawgate.plugins.install.installer import Staged
    from clawgate.settings.openclaw.config_file import ConfigFile

_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
_yes = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clawgate.cli.paths import places
    from clawgate.plugins.host.discovery import find_plugins

    try:
        found = find_plugins(places(ctx.params.get("config")).state)
    except (click.UsageError, OSError):
        return []  # a shell that completes is no place for complaints
    return [CompletionItem(one.id) for one in found if one.id.startswith(incomplete)]


_plugin = click.argument("plugin", metavar="ID", shell_complete=_complete)


@click.group()
def plugins() -> None:
    """Plugins: what is there, install, enable, disable, uninstall."""


@plugins.command("list")
@_json
@place_options
def list_plugins(config: str | None, as_json: bool) -> None:
    """Every plugin that is there, and whether the config has it on. Runs none of them."""
    from clawgate.cli.plugins.listing import COLUMNS, Row
    from clawgate.cli.terminal.table import show_table
    from clawgate.plugins.host.discovery import enabled_reason, find_plugins, installed_folder

    where, file = known(config)
    block, providers = file.config.plugins, file.config.models.providers
    rows = [Row(one, *enabled_reason(one, block, providers)) for one in find_plugins(where.state)]
    problems = [f"{row.found.id}: {row.found.problem}" for row in rows if row.found.problem is not None]
    if as_json:
        click.echo(json.dumps({"plugins": [row.shown() for row in rows], "diagnostics": problems}, indent=2))
        return
    enabled = sum(row.status == "enabled" for row in rows)
    click.echo(f"Plugins ({enabled}/{len(rows)} enabled)")
    click.echo(f"Installed below: {installed_folder(where.state)}")
    if block.enabled is False:
        click.echo("All plugins are off: plugins.enabled is false")
    if rows:
        click.echo("")
        show_table(COLUMNS, [row.cells() for row in rows])
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)


@plugins.command()
@_plugin
@_json
@click.option("--runtime", is_flag=True, help="Load it, if it is enabled, and say what its code registers.")
@place_options
def inspect(plugin: str, config: str | None, as_json: bool, runtime: bool) -> None:
    """Where a plugin came from, what it may do, and which settings it has."""
    from clawgate.cli.plugins.listing import Row, aligned, runtime_shown
    from clawgate.plugins.host.discovery import enabled_reason
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import load_plugin

    where, file = known(config)
    found = plugin_of(where, plugin)
    row = Row(found, *enabled_reason(found, file.config.plugins, file.config.models.providers))
    shown, problem = row.shown(), None
    if runtime:
        if not row.on:
            failed(
                f'"{plugin}" is not enabled, so it is not loaded. Enable it with: clawgate plugins enable {plugin}'
            )
        try:
            shown |= runtime_shown(load_plugin(found))
        except PluginFailed as error:
            problem = str(error)
            shown |= {"imported": False, "status": "error", "problem": problem}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    else:
        for line in row.lines():
            click.echo(line)
        if runtime and problem is None:
            click.echo("\nLoaded:")
            for line in aligned(
                [(key, _plain(shown[key])) for key in ("services", "providerIds", "cliCommands")]
            ):
                click.echo(f"  {line}")
    if problem is not None:
        failed(f"the plugin '{plugin}' cannot be used: {problem}")


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


@plugins.command()
@click.argument("source")
@_yes
@click.option("--upgrade", is_flag=True, help="Put it in place of the version that is installed.")
@click.option("--enable", "then_enable", is_flag=True, help="Enable it at once.")
@place_options
def install(source: str, config: str | None, yes: bool, upgrade: bool, then_enable: bool) -> None:
    """Install a plugin from SOURCE: a folder, a wheel, a name on PyPI, or a git URL.

    Its manifest is shown first, and nothing of it runs before you agree. A plugin runs inside the gateway, with all
    that the gateway may do: install only what you trust.
    """
    from clawgate.plugins.install.installer import place, staged
    from clawgate.plugins.install.sources import own_environment, parse_source
    from clawgate.plugins.install.unpack import SourceRejected
    from clawgate.settings.paths import own_folder
    from clawgate.settings.problems import SettingsInvalid

    where, file = known(config)
    try:
        plugins_folder = own_folder(os.environ) / "plugins"
        with staged(parse_source(source), own_environment(), plugins_folder) as new:
            _ask_to_install(new, where.state, yes=yes, upgrade=upgrade)
            click.echo(f"Installing to {place(new)}")
            plugin = new.manifest.id
    except SourceRejected as error:
        failed(f"{error}. Nothing was installed.")
    except SettingsInvalid as error:
        failed(f"{error}. Nothing was installed.")
    except OSError as error:
        failed(f"the files cannot be put in place: {error.strerror}. Nothing was installed.")
    click.echo(f"Installed plugin: {plugin}")
    if then_enable:
        _enable(plugin_of(where, plugin), where, file)
    elif not _is_on(plugin_of(where, plugin), file):
        click.echo(f"Enable it with: clawgate plugins enable {plugin}")
    else:
        click.echo("A gateway that runs goes on with the old version until: clawgate gateway restart")


def _ask_to_install(new: Staged, state: Path, *, yes: bool, upgrade: bool) -> None:
    """Show what it is; ends the command unless somebody agrees."""
    from clawgate.cli.plugins.listing import aligned, manifest_facts
    from clawgate.plugins.host.discovery import find_plugins

    manifest, fetched = new.manifest, new.fetched
    click.echo(f"{manifest.name} ({manifest.id}): {manifest.description}")
    facts = [("Source", new.source.name), *manifest_facts(manifest), ("Digest", f"sha256:{fetched.digest}")]
    facts += [("Revision", fetched.revision)] if fetched.revision else []
    present = next((one for one in find_plugins(state) if one.id == manifest.id), None)
    if present is not None and present.manifest is not None:
        facts.append(("Replaces", f"{present.manifest.version} ({present.source})"))
    for line in aligned(facts):
        click.echo(f"  {line}")
    if present is not None and present.origin != "installed":
        raise _refused(f"'{manifest.id}' is the id of a plugin that is there already ({present.source})")
    if present is not None and not upgrade:
        raise _refused(f"'{manifest.id}' is installed already; put this in its place with --upgrade")
    if yes:
        return
    click.echo("A plugin runs inside the gateway, with all that the gateway may do and see.")
    if not sys.stdin.isatty():
        raise _refused("nobody can be asked here; look at the above, and run this again with --yes")
    if not confirmed("Install it?", default=False, left="Nothing was installed."):
        raise _refused("you did not agree")


def _refused(message: str) -> Exception:
    from clawgate.plugins.install.unpack import SourceRejected

    return SourceRejected(message)


@plugins.command()
@_plugin
@place_options
def enable(plugin: str, config: str | None) -> None:
    """Turn a plugin on. Its settings are looked at, and what is missing is said."""
    where, file = known(config)
    found = plugin_of(where, plugin)
    if found.problem is not None:
        failed(f"the plugin '{plugin}' cannot be used: {found.problem}. Config was not changed.")
    _enable(found, where, file)


def _enable(found: DiscoveredPlugin, where: Paths, file: ConfigFile) -> None:
    from clawgate.settings.json5.edit import set_value

    block = file.config.plugins
    if found.id in block.deny:
        failed(f"plugins.deny names '{found.id}'; take it out of that list first. Config was not changed.")

    def turned_on(text: str) -> str:
        if block.allow and found.id not in block.allow:
            text = set_value(text, ("plugins", "allow"), [*block.allow, found.id])
        return set_value(text, ("plugins", "entries", found.id, "enabled"), True)

    written = write(file.path, turned_on)
    tell_written(file.path, written)
    click.echo(f'Enabled plugin "{found.id}".')
    if file.config.plugins.enabled is False:
        click.echo("Warning: plugins.enabled is false, so no plugin runs; turn it on with: "
                   "clawgate config set plugins.enabled true", err=True)  # fmt: skip
    now, _ = read(where)
    for line in _what_is_missing(found, now or file):
        click.echo(line, err=True)


def _what_is_missing(found: DiscoveredPlugin, file: ConfigFile) -> list[str]:
    """Load it as the gateway will, and say what would keep it from working."""
    from clawgate.plugins.host.diagnostics import locate_problems
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import load_plugin, plugin_settings
    from clawgate.settings.problems import SettingsInvalid

    try:
        loaded = load_plugin(found)
        entry = file.config.plugins.entries.get(found.id)
        plugin_settings(loaded, entry.config if entry is not None else {}, file.environment)
    except PluginFailed as error:
        return [f"Warning: the plugin '{found.id}' cannot be used: {error}"]
    except SettingsInvalid as error:
        lines = ["Not ready yet:", *(f"  - {problem}" for problem in locate_problems(found.id, error, file))]
        providers = found.manifest.providers if found.manifest is not None else ()
        return [
            *lines,
            *(f"Set it up with: clawgate models auth login --provider {one}" for one in providers),
        ]
    return []


@plugins.command()
@_plugin
@place_options
def disable(plugin: str, config: str | None) -> None:
    """Turn a plugin off. Its files stay, and in the config its settings and its providers."""
    from clawgate.settings.json5.edit import set_value

    where, file = known(config)
    plugin_of(where, plugin)
    written = write(file.path, lambda text: set_value(text, ("plugins", "entries", plugin, "enabled"), False))
    tell_written(file.path, written)
    click.echo(f'Disabled plugin "{plugin}".')


@plugins.command()
@_plugin
@_yes
@click.option("--keep-files", is_flag=True, help="Take it out of the config alone.")
@place_options
def uninstall(plugin: str, config: str | None, yes: bool, keep_files: bool) -> None:
    """Remove a plugin: its files, its settings, its providers, and aliases and default models that point there."""
    from clawgate.plugins.host.discovery import installed_folder
    from clawgate.plugins.install.config_cleanup import owned_paths, remove_paths
    from clawgate.plugins.install.installer import remove
    from clawgate.settings.key_path import format_key_path

    where, file = known(config)
    found = plugin_of(where, plugin)
    providers = found.manifest.providers if found.manifest is not None else ()
    paths = owned_paths(file.raw, plugin, providers)
    has_files = found.origin == "installed" and not keep_files
    if has_files or paths:
        click.echo("Will remove:")
        if has_files:
            click.echo(f"  {installed_folder(where.state) / found.id}")
        for path in paths:
            click.echo(f"  {format_key_path(path)} in {file.path}")
        _ask_to_remove(yes=yes)
    if paths:

        def edit(text: str) -> str:
            return remove_paths(text, paths)

        tell_written(file.path, write(file.path, edit, dropped=paths))
    if has_files:
        try:
            remove(found, where.state)
        except OSError as error:
            failed(f"the files cannot be removed: {error.strerror}. The config has been changed.")
    _tell_removed(found, plugin, anything=bool(paths) or has_files)


def _ask_to_remove(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        failed("nobody can be asked here; run this again with --yes. Nothing was removed.")
    if not confirmed("Remove it?", default=False, left="Nothing was removed."):
        failed("Nothing was removed.")


def _tell_removed(found: DiscoveredPlugin, plugin: str, *, anything: bool) -> None:
    match found.origin:
        case "installed":
            click.echo(f"Uninstalled plugin: {plugin}")
        case "bundled":
            now = "was taken out of the config" if anything else "is not in the config"
            click.echo(f'"{plugin}" is part of clawgate, so its files stay; it {now}.')
        case "package":
            click.echo(
                f'"{plugin}" came with a {found.source}; remove that as it was installed (pip uninstall ...).'
            )


def _is_on(found: DiscoveredPlugin, file: ConfigFile) -> bool:
    from clawgate.plugins.host.discovery import enabled_reason

    return enabled_reason(found, file.config.plugins, file.config.models.providers)[0]
