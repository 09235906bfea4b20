"""``clawgate models aliases``: short names for models."""

from __future__ import annotations

import json

import click

from clawgate.cli.completers import complete_alias, complete_ref
from clawgate.cli.context import load_config
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.models.changes import known_ref, warn_if_unlisted, write_change
from clawgate.cli.paths import json_option, path_options
from clawgate.policy.model_routing import alias_problem
from clawgate.settings.openclaw.model_edits import with_alias, without_alias


@click.group(cls=DefaultVerbGroup, default="list")
def aliases() -> None:
    """Short names for models. Without a command: list."""


@aliases.command("list")
@json_option
@path_options
def list_aliases(config: str | None, as_json: bool) -> None:
    """List the aliases and their models."""
    models = {alias: str(ref) for alias, ref in load_config(config).catalog.aliases.items()}
    if as_json:
        click.echo(json.dumps({"aliases": models}, indent=2))
        return
    click.echo(f"Aliases ({len(models)}):")
    for line in [f"- {alias} -> {ref}" for alias, ref in models.items()] or ["- none"]:
        click.echo(line)


@aliases.command("add", short_help="Make ALIAS a short name for MODEL.")
@click.argument("alias")
@click.argument("model", shell_complete=complete_ref)
@json_option
@path_options
def add_alias(alias: str, model: str, config: str | None, as_json: bool) -> None:
    """Make ALIAS a short name for MODEL (provider/model). A model has one alias: a new one replaces the old."""
    loaded = load_config(config)
    if problem := alias_problem(alias, loaded.catalog.providers):
        fail(problem, outcome=UNCHANGED)
    ref = known_ref(loaded, model)
    present = next(
        (other for name, other in loaded.catalog.aliases.items() if name.casefold() == alias.casefold()), None
    )
    if present not in (None, ref):
        fail(
            f"'{alias}' is already the alias of {present}; remove it first: clawgate models aliases remove {alias}",
            outcome=UNCHANGED,
        )
    old = next((name for name, other in loaded.catalog.aliases.items() if other == ref), alias)
    replaced = old if old != alias else None
    note = f" (replaces '{replaced}')" if replaced else ""
    write_change(
        loaded,
        lambda text: with_alias(text, alias, ref),
        lambda: f"Alias {alias} -> {ref}{note}",
        {"alias": alias, "model": str(ref), "replaced": replaced},
        as_json=as_json,
    )
    warn_if_unlisted(loaded, ref)


@aliases.command("remove", short_help="Remove ALIAS.")
@click.argument("alias", shell_complete=complete_alias)
@json_option
@path_options
def remove_alias(alias: str, config: str | None, as_json: bool) -> None:
    """Remove ALIAS; its model stays."""
    loaded = load_config(config)
    present = next((name for name in loaded.catalog.aliases if name.casefold() == alias.casefold()), None)
    if present is None:
        known = ", ".join(loaded.catalog.aliases) or "none"
        fail(f"there is no alias '{alias}'; there are: {known}", outcome=UNCHANGED)
    if loaded.file.config.agents.defaults.model.primary == present:
        ref = loaded.catalog.aliases[present]
        fail(
            f"the default model is set to the alias '{alias}'; first run: clawgate models set {ref}",
            outcome=UNCHANGED,
        )
    write_change(
        loaded,
        lambda text: without_alias(text, present),
        lambda: f"Alias removed: {present}",
        {"alias": present},
        as_json=as_json,
    )
