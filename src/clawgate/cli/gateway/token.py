"""``clawgate gateway token``: prints what a client presents to the gateway, for a shell: ``$(clawgate gateway token)``.

The only command that prints a secret of the config. It prints nothing else on standard output.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.first_request import THROUGH_PROXY
from clawgate.cli.gateway.output import action_output
from clawgate.cli.paths import Paths, env_file_option, find_paths, json_option, path_options
from clawgate.processes.instance.run_records import read_report
from clawgate.settings.json5.document import find_value
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.references import resolve_references

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.settings.openclaw.gateway import CallerSecret


@click.command("token", short_help="Print the token that clients present.")
@path_options
@env_file_option
@json_option
def token(config: str | None, env_file: str | None, as_json: bool) -> None:
    """Print the token, or the password, that clients of the gateway present as Authorization: Bearer.

    It goes to standard output alone: -H "Authorization: Bearer $(clawgate gateway token)". Its source is
    printed on standard error, unless it is written in the config file. Without one the exit status is 1.
    """
    with action_output("token", as_json=as_json):
        paths = find_paths(config)
        file, secret = _read(paths, env_file)
        origin = _origin(file, secret)
        _fail_if_another_counts(paths, secret)
        if as_json:
            output = {"ok": True, "kind": secret.kind, "token": secret.value, "source": origin}
            click.echo(json.dumps(output, indent=2))
            return
        if secret.kind != "token" or origin != secret.origin or not secret.is_in_file:
            click.echo(f"{secret.kind} from {origin}", err=True)
        click.echo(secret.value)


def _read(paths: Paths, env_file: str | None) -> tuple[ConfigFile, CallerSecret]:
    from clawgate.settings.openclaw.gateway import GatewayFlags, caller_secret

    try:
        file = paths.read_config(env_file)
        secret = caller_secret(file, GatewayFlags())
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    if secret is None:
        fail(_why_none(file))
    return file, secret


def _why_none(file: ConfigFile) -> str:
    from clawgate.settings.openclaw.gateway import GatewayFlags, lacks_token

    mode = file.config.gateway.auth.mode
    if mode == "none":
        return "gateway.auth.mode is 'none': clients need no token"
    if mode == "trusted-proxy":
        return f"{THROUGH_PROXY}; for programs of this machine set gateway.auth.password"
    if mode == "password":
        return "no password is set; set gateway.auth.password or OPENCLAW_GATEWAY_PASSWORD"
    if lacks_token(file, GatewayFlags()):
        return "no token is set; the gateway makes one at its first start: clawgate gateway start"
    return "no token is set; make one with: clawgate doctor --fix"


def _origin(file: ConfigFile, secret: CallerSecret) -> str:
    """Return where the secret is set, with the variable or file that the config refers to."""
    if not secret.is_in_file:
        return secret.origin
    written = find_value(file.raw, ("gateway", "auth", secret.kind))
    if written is None:
        return secret.origin
    _, references = resolve_references(written, {})
    names = ", ".join(one.name for one in references)
    if names:
        return f"{secret.origin}, which refers to {names}"
    return secret.origin if written == secret.value else f"{secret.origin}, which is a reference"


def _fail_if_another_counts(paths: Paths, secret: CallerSecret) -> None:
    """End the command if the running gateway got its secret by a flag or a variable that this shell does not have."""
    from clawgate.cli.gateway.running import find_running

    running = find_running(paths)
    if running is not None and running.config is not None and Path(running.config) != paths.config.absolute():
        click.echo(f"note: the running gateway uses another config: {running.config}", err=True)
        return
    report = read_report(paths.folder, running.instance) if running is not None else None
    if running is None or report is None:
        return
    origin = report.given_elsewhere.get(f"gateway.auth.{secret.kind}")
    if origin is not None and origin != secret.origin:
        fail(
            f"the running gateway (pid {running.pid}) does not use the {secret.kind} of the config: "
            f"it has one from {origin}; use that"
        )
