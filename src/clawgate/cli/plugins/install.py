"""``clawgate plugins install`` and ``uninstall``. Must not run code of a plugin before the user has confirmed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from clawgate.cli.confirmation import require_confirmation, yes_option
from clawgate.cli.context import load_config, print_effect_of, print_written, write_config
from clawgate.cli.errors import fail
from clawgate.cli.paths import path_options
from clawgate.cli.plugins.enable import enable_plugin
from clawgate.cli.plugins.lookup import enabled_by_config, find_plugin, plugin_argument
from clawgate.plugins.host.discovery import DiscoveredPlugin, find_plugins, installed_folder
from clawgate.plugins.install.config_cleanup import owned_paths, remove_paths
from clawgate.plugins.install.installer import Staged, activate, remove, stage
from clawgate.plugins.install.javascript import rejection
from clawgate.plugins.install.sources import own_environment, parse_source
from clawgate.plugins.install.unpack import SourceRejected
from clawgate.settings.key_path import format_key_path
from clawgate.settings.paths import own_folder
from clawgate.settings.problems import SettingsInvalid

_NOT_INSTALLED = "Nothing was installed."
_NOT_REMOVED = "Nothing was removed."


@click.command(short_help="Install from a folder, a wheel, PyPI or a git URL.")
@click.argument("source")
@yes_option
@click.option("--upgrade", is_flag=True, help="Replace the installed version.")
@click.option("--enable", "then_enable", is_flag=True, help="Enable the plugin after the installation.")
@path_options
def install(source: str, config: str | None, yes: bool, upgrade: bool, then_enable: bool) -> None:
    """Install a plugin from SOURCE: a folder, a wheel, a name on PyPI, or a git URL.

    Its manifest is shown first, and none of its code runs before you confirm. A plugin runs inside the gateway with
    all rights of the gateway: install only what you trust.
    """
    if (reason := rejection(source)) is not None:
        fail(reason, outcome=_NOT_INSTALLED)
    loaded = load_config(config)
    try:
        plugins_folder = own_folder(os.environ) / "plugins"
        with stage(parse_source(source), own_environment(), plugins_folder) as new:
            _confirm_install(new, loaded.paths.state, yes=yes, upgrade=upgrade)
            click.echo(f"Installing to {activate(new)}")
            plugin = new.manifest.id
    except (SourceRejected, SettingsInvalid) as error:
        fail(str(error), outcome=_NOT_INSTALLED)
    except OSError as error:
        fail(f"the files cannot be written: {error.strerror}", outcome=_NOT_INSTALLED)
    click.echo(f"Installed plugin: {plugin}")
    discovered = find_plugin(loaded, plugin)
    if then_enable:
        enable_plugin(discovered, loaded)
    elif not enabled_by_config(discovered, loaded.file)[0]:
        click.echo(f"Enable it with: clawgate plugins enable {plugin}")
    else:
        click.echo("A running gateway uses the old version until: clawgate gateway restart")


def _confirm_install(new: Staged, state: Path, *, yes: bool, upgrade: bool) -> None:
    """Print the manifest and ask; without a confirmation the command ends."""
    from clawgate.cli.plugins.listing import aligned, manifest_facts

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
        fail(f"the id '{manifest.id}' belongs to another plugin ({present.source})", outcome=_NOT_INSTALLED)
    if present is not None and not upgrade:
        fail(f"'{manifest.id}' is already installed; replace it with --upgrade", outcome=_NOT_INSTALLED)
    if not yes:
        click.echo("A plugin runs inside the gateway, with all rights of the gateway.")
    require_confirmation("Install it?", yes=yes, outcome=_NOT_INSTALLED)


@click.command(short_help="Remove a plugin: files, settings, providers, aliases.")
@plugin_argument
@yes_option
@click.option("--keep-files", is_flag=True, help="Remove it from the config only.")
@path_options
def uninstall(plugin: str, config: str | None, yes: bool, keep_files: bool) -> None:
    """Remove a plugin: its files, its settings, its providers, and aliases and default models that use them."""
    loaded = load_config(config)
    discovered = find_plugin(loaded, plugin)
    providers = discovered.manifest.providers if discovered.manifest is not None else ()
    paths = owned_paths(loaded.file.raw, plugin, providers)
    has_files = discovered.origin == "installed" and not keep_files
    if has_files or paths:
        click.echo("Will remove:")
        if has_files:
            click.echo(f"  {installed_folder(loaded.paths.state) / discovered.id}")
        for path in paths:
            click.echo(f"  {format_key_path(path)} in {loaded.path}")
        require_confirmation("Remove it?", yes=yes, outcome=_NOT_REMOVED)
    if paths:
        written = write_config(loaded.path, lambda text: remove_paths(text, paths), dropped=paths)
        print_written(loaded.path, written)
        print_effect_of(loaded.paths, written)
    if has_files:
        try:
            remove(discovered, loaded.paths.state)
        except OSError as error:
            outcome = "The config was changed." if paths else ""
            fail(f"the files cannot be removed: {error.strerror}", outcome=outcome)
    _print_removed(discovered, plugin, anything=bool(paths) or has_files)


def _print_removed(discovered: DiscoveredPlugin, plugin: str, *, anything: bool) -> None:
    match discovered.origin:
        case "installed":
            click.echo(f"Uninstalled plugin: {plugin}")
        case "bundled":
            result = "was removed from the config" if anything else "is not in the config"
            click.echo(f"'{plugin}' is part of clawgate, so its files stay; it {result}.")
        case "package":
            click.echo(
                f"'{plugin}' came with a {discovered.source}; remove that with the tool that installed it "
                "(pip uninstall)."
            )
