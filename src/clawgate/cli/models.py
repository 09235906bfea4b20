"""``clawgate models``: which models there are, which one answers by default, what may stand in for it, short names.

Output as OpenClaw's command of the same name has it, where it has it; secrets are masked everywhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from clawgate.cli.configured import (
    Configured,
    complete_alias,
    complete_fallback,
    complete_model,
    complete_provider,
    complete_ref,
    configured,
    known_refs,
    refused,
    write,
)
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.places import place_options
from clawgate.policy.model_route import DEFAULT_NAMES, ModelRef

_F = TypeVar("_F", bound=Callable[..., Any])

_STANDS_IN = (
    "From now on a request for the default model ({primary}) that fails there may be answered by {ref}:\n"
    "the prompt is sent to that provider as well. It fails over when a provider cannot be reached, times out,\n"
    "refuses its credential or model (401, 402, 403, 404), limits (429) or breaks (5xx), never for a request's\n"
    "own faults (400, 413, 422), and never once an answer has begun. A request that names another model is not\n"
    "affected. Answers say who served: x-clawgate-provider, x-clawgate-model, x-clawgate-attempts."
)


def _options(command: _F) -> _F:
    return place_options(click.option("--json", "as_json", is_flag=True, help="For programs.")(command))


@click.group()
def models() -> None:
    """Models and the providers that have them."""


@models.command()
@_options
@click.option("--probe", is_flag=True, help="Ask each provider that is ready (GET models, 2 s).")
def status(config: str | None, as_json: bool, probe: bool) -> None:
    """Default model, fallbacks, aliases; each provider with its endpoint, credential, health and egress rule."""
    from clawgate.cli.model_status import show_status, status_json

    known = configured(config)
    seen = {}
    if probe:
        from clawgate.cli.provider_probe import probe_all

        seen = probe_all(known.catalog.providers.values())
    if as_json:
        click.echo(json.dumps(status_json(known.path, known.catalog, seen), indent=2))
    else:
        show_status(known.path, known.catalog, seen)


@models.command("list")
@_options
@click.option("--provider", metavar="ID", shell_complete=complete_provider, help="Of this provider only.")
def list_models(config: str | None, as_json: bool, provider: str | None) -> None:
    """The models that the config lists or names. A provider may have more: any provider/model can be asked for."""
    from clawgate.cli.model_rows import model_rows, show_rows

    known = configured(config)
    if provider is not None and provider not in known.catalog.providers:
        click.echo(f"clawgate: {_unknown(known, provider)}", err=True)
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
@_options
def set_default(model: str, config: str | None, as_json: bool) -> None:
    """Make MODEL (provider/model, or an alias) the one that answers when a request names none."""
    from clawgate.cli.model_edits import with_default

    known = configured(config)
    ref = _known_ref(known, model)
    _write(
        known,
        lambda text: with_default(text, ref),
        lambda: f"Default model: {ref}",
        {"defaultModel": str(ref)},
        as_json=as_json,
    )
    _warn_if_unlisted(known, ref)


@models.group()
def aliases() -> None:
    """Short names for models."""


@aliases.command("list")
@_options
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
@_options
def add_alias(alias: str, model: str, config: str | None, as_json: bool) -> None:
    """Let ALIAS mean MODEL (provider/model). A model has one alias: an earlier one of it is replaced."""
    from clawgate.cli.model_edits import with_alias

    known = configured(config)
    if reason := _why_no_alias(known, alias):
        refused(reason)
    ref = _known_ref(known, model)
    other = next(
        (held for name, held in known.catalog.aliases.items() if name.casefold() == alias.casefold()), None
    )
    if other not in (None, ref):
        refused(f"'{alias}' means {other} already; remove that first: clawgate models aliases remove {alias}")
    _write(
        known,
        lambda text: with_alias(text, alias, ref),
        lambda: f"Alias {alias} -> {ref}",
        {"alias": alias, "model": str(ref)},
        as_json=as_json,
    )
    _warn_if_unlisted(known, ref)


@aliases.command("remove")
@click.argument("alias", shell_complete=complete_alias)
@_options
def remove_alias(alias: str, config: str | None, as_json: bool) -> None:
    """Let ALIAS mean nothing again."""
    from clawgate.cli.model_edits import without_alias

    known = configured(config)
    held = next((name for name in known.catalog.aliases if name.casefold() == alias.casefold()), None)
    if held is None:
        refused(f"there is no alias '{alias}'; there are: {', '.join(known.catalog.aliases) or 'none'}")
    if known.file.config.agents.defaults.model.primary == held:
        refused(
            f"'{alias}' is what the default model is set to; set that in full first: clawgate models set ..."
        )
    _write(
        known,
        lambda text: without_alias(text, held),
        lambda: f"Alias removed: {held}",
        {"alias": held},
        as_json=as_json,
    )


@models.group()
def fallbacks() -> None:
    """What may stand in for the default model, if anything."""


@fallbacks.command("list")
@_options
def list_fallbacks(config: str | None, as_json: bool) -> None:
    """In the order in which they are tried."""
    found = list(map(str, configured(config).catalog.fallbacks))
    if as_json:
        click.echo(json.dumps({"fallbacks": found}, indent=2))
        return
    click.echo(f"Fallbacks ({len(found)}):")
    for line in [f"- {ref}" for ref in found] or ["- none"]:
        click.echo(line)


@fallbacks.command("add")
@click.argument("model", shell_complete=complete_ref)
@_options
def add_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Let MODEL stand in for the default model, after those that are there. It has to be written in full."""
    from clawgate.cli.model_edits import with_fallback

    known = configured(config)
    present = known.catalog.fallbacks
    if ModelRef.parse(model) is None:
        meant = known.catalog.aliases.get(model)
        hint = f", e.g. {meant}" if meant else ""
        refused(f"a fallback has to be written in full, as provider/model{hint}: it decides where prompts go")
    ref = _known_ref(known, model)
    if ref == known.catalog.primary:
        refused(f"{ref} is the default model itself")
    _write_fallbacks(known, lambda text: with_fallback(text, ref), as_json=as_json)
    if ref not in present and not as_json:
        primary = known.catalog.primary or "none is set yet"
        click.echo(_STANDS_IN.format(primary=primary, ref=ref))
    _warn_if_unlisted(known, ref)


@fallbacks.command("remove")
@click.argument("model", shell_complete=complete_fallback)
@_options
def remove_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Let MODEL stand in no more."""
    from clawgate.cli.model_edits import without_fallbacks

    known = configured(config)
    held = known.file.config.agents.defaults.model.fallbacks
    if model not in held:
        there = ", ".join(held) or "none"
        refused(f"'{model}' is no fallback; there are: {there}")
    _write_fallbacks(known, lambda text: without_fallbacks(text, model), as_json=as_json)


@fallbacks.command("clear")
@_options
def clear_fallbacks(config: str | None, as_json: bool) -> None:
    """Let nothing stand in: when the default model's provider fails, the request fails."""
    from clawgate.cli.model_edits import without_fallbacks

    _write_fallbacks(configured(config), without_fallbacks, as_json=as_json)


def _write_fallbacks(known: Configured, edit: Callable[[str], str], *, as_json: bool) -> None:
    """``edit`` decides within the writer's lock: two that add at once both have their way."""
    from clawgate.cli.model_edits import fallbacks_in

    names: list[str] = []

    def edited(text: str) -> str:
        after = edit(text)
        names[:] = fallbacks_in(after)
        return after

    result: dict[str, object] = {"fallbacks": names}
    _write(
        known,
        edited,
        lambda: f"Fallbacks ({len(names)}): {', '.join(names) or '(none)'}",
        result,
        as_json=as_json,
    )


def _known_ref(known: Configured, name: str) -> ModelRef:
    """What the operator means; ends the command where its provider is not there."""
    ref = known.meant(name)
    if ref is None:
        aliased = f", nor an alias ({', '.join(known.catalog.aliases)})" if known.catalog.aliases else ""
        refused(f"'{name}' is not provider/model{aliased}; see: clawgate models list")
    if ref.provider not in known.catalog.providers:
        refused(_unknown(known, ref.provider))
    return ref


def _unknown(known: Configured, provider: str) -> str:
    import difflib

    near = difflib.get_close_matches(provider, known.catalog.providers, n=1)
    mean = f' Did you mean "{near[0]}"?' if near else ""
    return f'Unknown model provider "{provider}".{mean} Known: {", ".join(sorted(known.catalog.providers))}.'


def _warn_if_unlisted(known: Configured, ref: ModelRef) -> None:
    provider = known.catalog.providers[ref.provider]
    listed = {model.id for model in provider.models}
    if listed and ref.model not in listed:
        click.echo(
            f'Warning: Model "{ref}" is not among the models that the config lists for {ref.provider}; '
            "requests for it are sent as they are, and the provider decides.",
            err=True,
        )
    if provider.why_not_ready is not None:
        click.echo(f"Warning: {ref.provider} is not ready: {provider.why_not_ready}", err=True)


def _why_no_alias(known: Configured, alias: str) -> str | None:
    if not alias or alias != alias.strip() or not alias.isprintable():
        return "an alias is a word without outer blanks"
    if "/" in alias or ":" in alias:
        return f"'{alias}' looks like provider/model or an agent; an alias has no '/' and no ':'"
    if alias.lower() in DEFAULT_NAMES:
        return f"'{alias}' means the default model; set that with: clawgate models set"
    if alias.casefold() in {name.casefold() for name in known.catalog.providers}:
        return f"'{alias}' is the name of a provider"
    return None


def _write(
    known: Configured,
    edit: Callable[[str], str],
    said: Callable[[], str],
    result: dict[str, object],
    *,
    as_json: bool,
) -> None:
    """Write through the one careful writer, and say what was done."""
    written = write(known.path, edit)
    if as_json:
        backup = str(written.backup) if written.backup else None
        shown = {"configPath": str(known.path), "changed": written.changed, "backup": backup}
        click.echo(json.dumps(shown | result, indent=2))
        return
    if written.changed:
        click.echo(f"Updated config: {known.path}")
        if written.backup:
            click.echo(f"  Backup: {written.backup}")
    else:
        click.echo("No change")
    click.echo(said())
