"""``clawgate gateway token``: prints what a client presents to the gateway, for a shell: ``$(clawgate gateway token)``.

The only command that prints a secret of the config. It prints nothing else on standard output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from clawgate.cli.action_output import action_output
from clawgate.cli.credential import fail_if_another_counts, read_secret, why_none
from clawgate.cli.errors import fail
from clawgate.cli.paths import env_file_option, find_paths, json_option, path_options
from clawgate.settings.json5.document import find_value
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
        file, secret = read_secret(paths, env_file)
        if secret is None:
            fail(why_none(file))
        origin = _origin(file, secret)
        fail_if_another_counts(paths, secret)
        if as_json:
            output = {"ok": True, "kind": secret.kind, "token": secret.value, "source": origin}
            click.echo(json.dumps(output, indent=2))
            return
        if secret.kind != "token" or origin != secret.origin or not secret.is_in_file:
            click.echo(f"{secret.kind} from {origin}", err=True)
        click.echo(secret.value)


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
