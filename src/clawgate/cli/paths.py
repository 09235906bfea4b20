"""Locates the config file, the state folder and the log files of this user's gateway; reads the config file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clawgate.settings.environment import named_environment
from clawgate.settings.paths import config_path, state_dir
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Paths:
    """``folder`` is clawgate's own, in the state folder; ``log`` and ``output`` belong to a background gateway.

    ``config_named``: by ``--config``. A file that is named must exist, the default one may be missing.
    """

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

    def read_config(
        self, env_file: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> ConfigFile:
        """Return the config file, with the variables of the file that --env-file names. Raises `SettingsInvalid`."""
        from clawgate.settings.openclaw.config_file import read_config

        variables = named_environment(environment, env_file)
        return read_config(self.config, variables, required=self.config_named)


def find_paths(config: str | None = None, environment: Mapping[str, str] | None = None) -> Paths:
    """Return the paths that ``--config`` and the environment name.

    Raises click.UsageError if there is no home folder.
    """
    environment = os.environ if environment is None else environment
    try:
        path, _ = config_path(environment, config)
        named = config is not None  # OPENCLAW_CONFIG_PATH may name a file that is still to be created
        return Paths(path, named, state_dir(environment))
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from error


def read_config_at(paths: Paths) -> tuple[ConfigFile | None, list[str]]:
    """Return the config file, or None and every problem that makes it unusable."""
    try:
        return paths.read_config(), []
    except SettingsInvalid as error:
        return None, [str(problem) for problem in error.problems]


def set_state_folder(folder: str) -> None:
    """Make ``--state-dir`` known to this process and to those that it starts."""
    os.environ["OPENCLAW_STATE_DIR"] = str(Path(folder).expanduser().absolute())


def _on_state_dir(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value:
        set_state_folder(value)


config_option = click.option(
    "--config",
    metavar="FILE",
    help="OpenClaw's config file.  [env var: OPENCLAW_CONFIG_PATH; default: openclaw.json in the state folder]",
)
env_file_option = click.option(
    "--env-file",
    metavar="FILE",
    help="File with environment variables (mode 0600). A .env of this folder is read only if named here.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_state_option = click.option(
    "--state-dir",
    metavar="FOLDER",
    expose_value=False,
    is_eager=True,
    callback=_on_state_dir,
    help="OpenClaw's state folder.  [env var: OPENCLAW_STATE_DIR; default: ~/.openclaw]",
)


def path_options(command: _F) -> _F:
    """Add ``--config`` and ``--state-dir``."""
    return config_option(_state_option(command))
