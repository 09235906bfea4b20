"""How does a command about plugins change the config file, and what if it cannot?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, places, read

if TYPE_CHECKING:
    from clawgate.plugins.host.discovery import DiscoveredPlugin
    from clawgate.settings.key_path import KeyPath
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.settings.openclaw.update import WriteResult


def failed(message: str) -> NoReturn:
    """End the command with one line."""
    click.echo(f"clawgate: {message}", err=True)
    sys.exit(ExitCode.FAILED)


def known(config: str | None) -> tuple[Paths, ConfigFile]:
    """Where things are, and the config file; ends the command where that cannot be used."""
    where = places(config)
    file, problems = read(where)
    if file is None:
        click.echo("clawgate: these settings cannot be used:", err=True)
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
        sys.exit(ExitCode.USAGE)
    return where, file


def plugin_of(where: Paths, plugin: str) -> DiscoveredPlugin:
    """The plugin of this id (one that can be used, if several have it); ends the command where there is none."""
    from clawgate.plugins.host.discovery import find_plugins

    found = [one for one in find_plugins(where.state) if one.id == plugin]
    if not found:
        failed(f"Plugin not found: {_shown(plugin)}. Run `clawgate plugins list` to see which there are.")
    return next((one for one in found if one.problem is None), found[0])


def write(path: Path, edit: Callable[[str], str], *, dropped: Collection[KeyPath] = ()) -> WriteResult:
    """Through the one careful writer; ends the command where nothing could be written, and says why."""
    from clawgate.settings.atomic_write import WriteFailed
    from clawgate.settings.json5.edit import EditNotSupported, EditVerificationFailed
    from clawgate.settings.json5.source_map import InvalidJson5
    from clawgate.settings.openclaw.update import update
    from clawgate.settings.problems import SettingsInvalid

    try:
        written = update(path, dict(os.environ), edit, dropped=dropped, may_shrink=bool(dropped))
    except SettingsInvalid as error:
        failed(f"{'; '.join(map(str, error.problems))}. Config was not changed.")
    except (WriteFailed, EditNotSupported, EditVerificationFailed, InvalidJson5) as error:
        failed(f"{str(error).rstrip('.')}. Config was not changed.")
    for problem in written.remaining:
        click.echo(f"Warning: still wrong with the file: {problem}", err=True)
    return written


def tell_written(path: Path, written: WriteResult) -> None:
    if written.changed:
        click.echo(f"Updated config: {path}")
        if written.backup:
            click.echo(f"  Backup: {written.backup}")


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
