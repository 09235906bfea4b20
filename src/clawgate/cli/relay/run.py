"""How does a role go from settings to serving? Shared by ``bridge run`` and ``server run``."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket
from typing import Any, NoReturn, TypeVar

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.policy.redaction import Redactor
from clawgate.processes.argv_redaction import redact_argv
from clawgate.settings.environment import ignored_env_file
from clawgate.settings.regular_file import access_warnings
from clawgate.settings.roles.bridge import RelaySettings
from clawgate.settings.roles.loader import SettingsInvalid, SettingsSources, load, read_sources

_S = TypeVar("_S", bound=RelaySettings)

common_options = (
    click.option(
        "--config",
        metavar="FILE",
        help="OpenClaw's config file  [env OPENCLAW_CONFIG_PATH; default ~/.openclaw/openclaw.json]",
    ),
    click.option(
        "--env-file", metavar="FILE", help="File with environment variables; none is read that is not named"
    ),
)


def settings_from(model: type[_S], entry: str, given: dict[str, Any]) -> _S:
    """The settings of a role, or the end of the command with what is wrong on standard error."""
    config, env_file = given.pop("config"), given.pop("env_file")
    try:
        sources = read_sources(entry=entry, config=config, env_file=env_file)
        _print_sources(sources, env_file)
        settings = load(model, given, sources)
    except SettingsInvalid as error:
        refuse(error)
    redact_argv(settings.secrets())
    return settings


def _print_sources(sources: SettingsSources, env_file: str | None) -> None:
    """Print which files variables come from, and which files and folders another user can change."""
    for path in sources.environment.files:
        click.echo(f"clawgate: environment file read: {path}", err=True)
    if note := ignored_env_file(Path.cwd(), env_file):
        click.echo(f"clawgate: {note}", err=True)
    for warning in access_warnings(*sources.files):
        click.echo(f"clawgate: warning: {warning}", err=True)


def refuse(error: SettingsInvalid) -> NoReturn:
    """Say what is wrong with the settings, all of it, and end."""
    click.echo("clawgate: these settings cannot be used:", err=True)
    for problem in error.problems:
        click.echo(f"  - {problem}", err=True)
    sys.exit(ExitCode.USAGE)


def run(
    build: Callable[[Redactor], Any],
    settings: RelaySettings,
    banner: Callable[[Any, str], list[str]],
    *,
    verbose: bool,
) -> NoReturn:
    """Build a role, take its port, say where it is, serve it."""
    from clawgate.app import serve
    from clawgate.app.log_setup import set_up_logging

    os.umask(0o077)  # whatever is ever written is for its owner alone
    redactor = Redactor(settings.secrets())
    set_up_logging(redactor, verbose=verbose)
    try:
        role = build(redactor)
    except SettingsInvalid as error:
        refuse(error)
    sockets, url = sockets_of(role)

    def ready() -> None:
        for text in banner(role, url):
            click.echo(text, err=True)

    sys.exit(serve(role, sockets, ready))


def sockets_of(role: Any, inherited: Sequence[socket] = ()) -> tuple[list[socket], str]:
    """The role's listening sockets and its URL, or the end of the command with who holds the port."""
    from clawgate.app import open_listener

    try:
        sockets = list(inherited) or open_listener(role)
    except (OSError, UnicodeError) as error:
        _cannot_listen(role.host, role.port, error)
    port = sockets[0].getsockname()[1]
    host = f"[{role.host}]" if ":" in role.host else role.host
    return sockets, f"{'https' if role.tls else 'http'}://{host}:{port}"


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> NoReturn:
    from clawgate.processes.port_owner import port_owner

    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        owner = port_owner(port)
        held = f" by {owner}" if owner else ""
        click.echo(
            f"clawgate: port {port} on {host} is already in use{held}; stop that or choose another --port",
            err=True,
        )
        sys.exit(ExitCode.PORT_TAKEN)
    click.echo(
        f"clawgate: cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}",
        err=True,
    )
    sys.exit(ExitCode.FAILED)
