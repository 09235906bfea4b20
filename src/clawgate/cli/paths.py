"""Where are the files of this user's gateway, and can its config be used? For commands that look after a gateway."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Paths:
    """``folder`` is our own within the state folder; ``log`` and ``output`` are of a gateway in the background."""

    config: Path
    config_named: bool
    state: Path

    @property
    def folder(self) -> Path:
        return self.state / "clawgate"

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "gateway.log"

    @property
    def output(self) -> Path:
        return self.folder / "logs" / "gateway.out"


def places(config: str | None = None, environment: Mapping[str, str] | None = None) -> Paths:
    """The places as the environment and ``--config`` say; raises click.UsageError where there is no home."""
    from clawgate.settings.paths import config_path, state_dir
    from clawgate.settings.problems import SettingsInvalid

    environment = os.environ if environment is None else environment
    try:
        path, _ = config_path(environment, config)
        named = config is not None  # a variable may name a file that is still to be made
        return Paths(path, named, state_dir(environment))
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from error


def read(where: Paths) -> tuple[ConfigFile | None, list[str]]:
    """The config file, or everything that is wrong with it."""
    from clawgate.settings.openclaw.config_file import read_config
    from clawgate.settings.problems import SettingsInvalid

    try:
        return read_config(where.config, dict(os.environ), required=where.config_named), []
    except SettingsInvalid as error:
        return None, [str(problem) for problem in error.problems]


def _set_state_folder(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value:
        os.environ["OPENCLAW_STATE_DIR"] = str(Path(value).expanduser().absolute())


def place_options(command: _F) -> _F:
    """``--config`` and ``--state-dir``, as every command of this kind has them."""
    state = click.option(
        "--state-dir",
        metavar="FOLDER",
        expose_value=False,
        is_eager=True,
        callback=_set_state_folder,
        help="OpenClaw's state folder  [env OPENCLAW_STATE_DIR; default ~/.openclaw]",
    )
    config = click.option(
        "--config",
        metavar="FILE",
        help="OpenClaw's config file  [env OPENCLAW_CONFIG_PATH; default openclaw.json in the state folder]",
    )
    return config(state(command))
