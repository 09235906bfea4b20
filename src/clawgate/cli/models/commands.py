"""``clawgate models``: which models there are, how their providers are, and which one answers by default.

Output as OpenClaw's command of the same name has it, where it has it; secrets are masked everywhere.
"""

from __future__ import annotations

import json
import sys

import click

from clawgate.cli.auth.commands import auth
from clawgate.cli.context import complete_model, complete_provider, configured, known_refs
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.model_changes import (
    known_ref,
    model_options,
    unknown_provider,
    warn_if_unlisted,
    write_change,
)
from clawgate.cli.models.aliases import aliases
from clawgate.cli.models.fallbacks import fallbacks


@click.group()
def models() -> None:
    """Models and the providers that have them."""


models.add_command(aliases)
models.add_command(auth)
models.add_command(fallbacks)


@models.command()
@model_options
@click.option("--probe", is_flag=True, help="Ask each provider that is ready (GET models, 2 s).")
def status(config: str | None, as_json: bool, probe: bool) -> None:
    """Default model, fallbacks, aliases; each provider with its endpoint, credential, health and egress rule."""
    from clawgate.cli.models.status import show_status, status_json

    known = configured(config)
    seen = {}
    if probe:
        from clawgate.app.provider_probe import probe_all

        seen = probe_all(known.catalog.providers.values())
    if as_json:
        click.echo(json.dumps(status_json(known.path, known.catalog, seen), indent=2))
    else:
        show_status(known.path, known.catalog, seen)


@models.command("list")
@model_options
@click.option("--provider", metavar="ID", shell_complete=complete_provider, help="Of this provider only.")
def list_models(config: str | None, as_json: bool, provider: str | None) -> None:
    """The models that the config lists or names. A provider may have more: any provider/model can be asked for."""
    from clawgate.cli.models.listing import model_rows, show_rows

    known = configured(config)
    if provider is not None and provider not in known.catalog.providers:
        click.echo(f"clawgate: {unknown_provider(known, provider)}", err=True)
        sys.exit(ExitCode.FAILED)
    rows = [
        row
        for row in model_rows(known.catalog, known_refs(known.catalog))
        if provider in (None, row.ref.provider)
    ]
    if as_json:
        click.echo(json.dumps({"count": len(rows), "models": [row.shown() for row in rows]}, indent=2))
    else:
        show_rows(rows, known.catalog, provider)


@models.command("set")
@click.argument("model", shell_complete=complete_model)
@model_options
def set_default(model: str, config: str | None, as_json: bool) -> None:
    """Make MODEL (provider/model, or an alias) the one that answers when a request names none."""
    from clawgate.settings.openclaw.model_edits import with_default

    known = configured(config)
    ref = known_ref(known, model)
    write_change(
        known,
        lambda text: with_default(text, ref),
        lambda: f"Default model: {ref}",
        {"defaultModel": str(ref)},
        as_json=as_json,
    )
    warn_if_unlisted(known, ref)
