"""Loads the config for commands and writes their changes to it.

The only place in which a command reads a config that has to be usable. A config that is not ends the command with
every problem; a change that would break the file is not written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.effect import effect_of, print_effect
from clawgate.cli.errors import UNCHANGED, fail, fail_invalid_config
from clawgate.cli.paths import Paths, find_paths, read_config_at
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.atomic_write import WriteFailed
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.update import NOT_WRITTEN, WriteResult, update

if TYPE_CHECKING:
    from clawgate.processes.instance.availability import KnownAvailability
    from clawgate.providers.catalog import Catalog
    from clawgate.settings.openclaw.config_file import ConfigFile


@dataclass(frozen=True)
class LoadedConfig:
    """A usable config file (the default one may be missing) and the catalog of providers that it makes."""

    paths: Paths
    file: ConfigFile

    @property
    def path(self) -> Path:
        return self.paths.config

    @cached_property
    def catalog(self) -> Catalog:
        from clawgate.providers.catalog import build_catalog

        return build_catalog(self.file.config, self.file.unset, self.file.environment)

    @cached_property
    def known(self) -> KnownAvailability:
        """Whether requests are sent to the providers, as the running gateway or else the config shows it."""
        from clawgate.processes.instance.availability import known_availability

        return known_availability(self.catalog, self.paths.folder, self.path)

    def parse_model(self, name: str) -> ModelRef | None:
        """Return the model of an alias or of ``provider/model``, whether its provider exists or not."""
        return self.catalog.aliases.get(name) or ModelRef.parse(name)


def load_config(config: str | None) -> LoadedConfig:
    """Read the file that ``--config`` or the environment names; an unusable one ends the command."""
    paths = find_paths(config)
    file, problems = read_config_at(paths)
    if file is None:
        fail_invalid_config(problems)
    return LoadedConfig(paths, file)


def write_config(path: Path, edit: Callable[[str], str], *, dropped: Collection[KeyPath] = ()) -> WriteResult:
    """Apply ``edit`` to the text of the config file; a change that cannot be written ends the command.

    ``dropped`` are key paths that may go even if OpenClaw needs them.
    """
    try:
        written = update(path, dict(os.environ), edit, dropped=dropped, may_shrink=bool(dropped))
    except NOT_WRITTEN as error:
        fail(
            str(error), outcome="" if isinstance(error, WriteFailed) else UNCHANGED
        )  # that one says it itself
    print_remaining(written)
    return written


def print_written(path: Path, written: WriteResult) -> None:
    if written.changed:
        click.echo(f"Updated config: {path}")
        if written.backup:
            click.echo(f"  Backup: {written.backup}")


def print_effect_of(paths: Paths, written: WriteResult) -> None:
    if written.changed:
        print_effect(effect_of(paths, written))


def print_remaining(written: WriteResult) -> None:
    """Warn of the problems that the file had before the change and still has."""
    for problem in written.remaining:
        click.echo(f"Warning: the config still has a problem: {problem}", err=True)
