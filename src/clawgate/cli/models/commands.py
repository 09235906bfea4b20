"""``clawgate models``: lists models, shows the state of their providers, sets the default model.

Output as OpenClaw's command of the same name has it, where it has one. Must not print a secret unmasked.
"""

from __future__ import annotations

import json
import sys

import click

from clawgate.cli.auth.commands import auth
from clawgate.cli.completers import complete_model, complete_provider, known_refs
from clawgate.cli.context import load_config
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.models.aliases import aliases
from clawgate.cli.models.changes import known_ref, unknown_provider, warn_if_unlisted, write_change
from clawgate.cli.models.fallbacks import fallbacks
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.remote import Remote, remote_options
from clawgate.settings.openclaw.model_edits import with_default


@click.group(cls=DefaultVerbGroup, default="status")
def models() -> None:
    """Models, and the providers that have them. Without a command: status."""


models.add_command(aliases)
models.add_command(auth)
models.add_command(fallbacks)


@models.command(short_help="Show the default model, fallbacks, aliases, providers.")
@json_option
@path_options
@click.option(
    "--probe", is_flag=True, help="Send a request to each provider that is ready (GET models, 2 s)."
)
@click.option(
    "--provider", metavar="ID", shell_complete=complete_provider, help="Only this provider, with a probe."
)
@remote_options
def status(
    config: str | None, as_json: bool, probe: bool, provider: str | None, remote: Remote | None
) -> None:
    """Show the default model, fallbacks and aliases, and of each provider its endpoint, credential and health.

    Of a gateway at --url it is what that gateway reports. The exit status is 1 if requests for the default model
    (without one: for any model) would fail; with --provider, if those to that provider would; with --probe, also if a
    probe fails.
    """
    if remote is not None:
        from clawgate.cli.models.remote_models import status_remote

        if probe or provider is not None:
            raise click.UsageError(
                "--probe and --provider exclude --url: a gateway elsewhere sends no probes"
            )
        status_remote(remote, as_json)
        return
    from clawgate.cli.models.status import print_provider, print_status, status_json

    loaded = load_config(config)
    if provider is not None:
        sys.exit(ExitCode.OK if print_provider(loaded, provider, as_json=as_json) else ExitCode.FAILED)
    results = {}
    if probe:
        from clawgate.app.provider_probe import probe_all

        results = probe_all(loaded.catalog.providers.values())
    if as_json:
        click.echo(json.dumps(status_json(loaded.path, loaded.known, results), indent=2))
    else:
        print_status(loaded.path, loaded.known, results)
    if loaded.known.availability.serving_error() is not None or any(one.message for one in results.values()):
        sys.exit(ExitCode.FAILED)


@models.command("list", short_help="List the models that the config lists or names.")
@json_option
@path_options
@click.option(
    "--provider", metavar="ID", shell_complete=complete_provider, help="Only models of this provider."
)
@remote_options
def list_models(config: str | None, as_json: bool, provider: str | None, remote: Remote | None) -> None:
    """List the models that the config lists or names, or those that a gateway at --url has.

    A provider may have more: a request may name any provider/model. The exit status is 1 if requests for each of
    them would fail.
    """
    if remote is not None:
        from clawgate.cli.models.remote_models import list_remote

        list_remote(remote, provider, as_json)
        return
    from clawgate.cli.models.listing import model_rows, print_rows

    loaded = load_config(config)
    if provider is not None and provider not in loaded.catalog.providers:
        fail(unknown_provider(loaded, provider))
    rows = [
        row
        for row in model_rows(loaded.known.availability, known_refs(loaded.catalog))
        if provider in (None, row.ref.provider)
    ]
    if as_json:
        output = {
            "count": len(rows),
            "basedOn": loaded.known.based_on,
            "models": [row.to_json() for row in rows],
        }
        click.echo(json.dumps(output, indent=2))
    else:
        print_rows(rows, loaded.catalog, provider)
    if rows and not any(row.available for row in rows):
        sys.exit(ExitCode.FAILED)


@models.command("set", short_help="Set the default model.")
@click.argument("model", shell_complete=complete_model)
@json_option
@path_options
def set_default(model: str, config: str | None, as_json: bool) -> None:
    """Make MODEL (provider/model, or an alias) the default: it serves requests that name no model."""
    loaded = load_config(config)
    ref = known_ref(loaded, model)
    write_change(
        loaded,
        lambda text: with_default(text, ref),
        lambda: f"Default model: {ref}",
        {"defaultModel": str(ref)},
        as_json=as_json,
    )
    warn_if_unlisted(loaded, ref)
