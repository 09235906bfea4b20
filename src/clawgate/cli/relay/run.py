"""Takes a relay role from its settings to serving; used by `bridge run` and `server run`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from clawgate.cli.errors import fail_invalid_config
from clawgate.cli.listener import open_sockets
from clawgate.cli.terminal.standard_streams import keep_serving
from clawgate.policy.redaction import Redactor
from clawgate.processes.argv_redaction import argument_warnings, redact_argv
from clawgate.processes.instance.service_manager import notify_ready
from clawgate.settings.environment import ignored_env_file
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import access_warnings
from clawgate.settings.roles.loader import SettingsSources, load, read_sources
from clawgate.settings.roles.relay import RelaySettings

_S = TypeVar("_S", bound=RelaySettings)


def settings_from(model: type[_S], entry: str, flags: dict[str, Any]) -> _S:
    """Return the settings of a role; invalid ones end the command with every problem."""
    config, env_file = flags.pop("config"), flags.pop("env_file")
    try:
        sources = read_sources(entry=entry, config=config, env_file=env_file)
        _print_sources(sources)
        settings = load(model, flags, sources)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    redact_argv(settings.secrets())
    return settings


def _print_sources(sources: SettingsSources) -> None:
    """Print which files variables come from, and which files and folders another user can change."""
    for path in sources.environment.files:
        click.echo(f"clawgate: environment file read: {path}", err=True)
    if note := ignored_env_file(Path.cwd(), sources.environment):
        click.echo(f"clawgate: {note}", err=True)
    access = access_warnings(*sources.files, secret_files=sources.environment.files)
    for warning in (*argument_warnings(sys.argv), *access):
        click.echo(f"clawgate: warning: {warning}", err=True)


def run(
    build: Callable[[Redactor], Any],
    secrets: Iterable[str],
    banner: Callable[[Any, str], list[str]],
    *,
    role_name: str,
    verbose: bool,
) -> NoReturn:
    """Build a role, open its port, print the lines of ``banner(role, url)`` and serve until stopped."""
    from clawgate.app.factory import raise_fd_limit
    from clawgate.app.log_setup import set_up_logging
    from clawgate.app.run import serve

    keep_serving()
    raise_fd_limit()
    os.umask(0o077)  # every file that this process writes is for its owner alone
    redactor = Redactor(secrets)
    set_up_logging(redactor, verbose=verbose, role=role_name)
    try:
        role = build(redactor)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    sockets, url = open_sockets(role)

    def on_ready() -> None:
        notify_ready()
        for line in banner(role, url):
            click.echo(line, err=True)

    sys.exit(serve(role, sockets, on_ready))
