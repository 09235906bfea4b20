"""``clawgate models aliases``: short names for models."""

from __future__ import annotations

import json

import click

from clawgate.cli.context import LoadedConfig, complete_alias, complete_ref, configured, refused
from clawgate.cli.model_changes import known_ref, model_options, warn_if_unlisted, write_change
from clawgate.policy.model_routing import DEFAULT_NAMES


@click.group()
def aliases() -> None:
    """Short names for models."""


@aliases.command("list")
@model_options
def list_aliases(config: str | None, as_json: bool) -> None:
    """What each alias means."""
    found = {alias: str(ref) for alias, ref in configured(config).catalog.aliases.items()}
    if as_json:
        click.echo(json.dumps({"aliases": found}, indent=2))
        return
    click.echo(f"Aliases ({len(found)}):")
    for line in [f"- {alias} -> {ref}" for alias, ref in found.items()] or ["- none"]:
        click.echo(line)


@aliases.command("add")
@click.argument("alias")
@click.argument("model", shell_complete=complete_ref)
@model_options
def add_alias(alias: str, model: str, config: str | None, as_json: bool) -> None:
    """Let ALIAS mean MODEL (provider/model). A model has one alias: an earlier one of it is replaced."""
    from clawgate.settings.openclaw.model_edits import with_alias

    known = configured(config)
    if reason := _why_no_alias(known, alias):
        refused(reason)
    ref = known_ref(known, model)
    other = next(
        (held for name, held in known.catalog.aliases.items() if name.casefold() == alias.casefold()), None
    )
    if other not in (None, ref):
        refused(f"'{alias}' means {other} already; remove that first: clawgate models aliases remove {alias}")
    earlier = next((name for name, held in known.catalog.aliases.items() if held == ref), alias)
    replaced = earlier if earlier != alias else None
    instead = f"; '{replaced}', which it had, means nothing any more" if replaced else ""
    write_change(
        known,
        lambda text: with_alias(text, alias, ref),
        lambda: f"Alias {alias} -> {ref}{instead}",
        {"alias": alias, "model": str(ref), "replaced": replaced},
        as_json=as_json,
    )
    warn_if_unlisted(known, ref)


@aliases.command("remove")
@click.argument("alias", shell_complete=complete_alias)
@model_options
def remove_alias(alias: str, config: str | None, as_json: bool) -> None:
    """Let ALIAS mean nothing again."""
    from clawgate.settings.openclaw.model_edits import without_alias

    known = configured(config)
    held = next((name for name in known.catalog.aliases if name.casefold() == alias.casefold()), None)
    if held is None:
        refused(f"there is no alias '{alias}'; there are: {', '.join(known.catalog.aliases) or 'none'}")
    if known.file.config.agents.defaults.model.primary == held:
        refused(
            f"'{alias}' is what the default model is set to; set that in full first: clawgate models set ..."
        )
    write_change(
        known,
        lambda text: without_alias(text, held),
        lambda: f"Alias removed: {held}",
        {"alias": held},
        as_json=as_json,
    )


def _why_no_alias(known: LoadedConfig, alias: str) -> str | None:
    if not alias or alias != alias.strip() or not alias.isprintable():
        return "an alias is a word without outer blanks"
    if "/" in alias or ":" in alias:
        return f"'{alias}' looks like provider/model or an agent; an alias has no '/' and no ':'"
    if alias.lower() in DEFAULT_NAMES:
        return f"'{alias}' means the default model; set that with: clawgate models set"
    if alias.casefold() in {name.casefold() for name in known.catalog.providers}:
        return f"'{alias}' is the name of a provider"
    return None
