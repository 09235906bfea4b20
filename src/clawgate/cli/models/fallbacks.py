"""``clawgate models fallbacks``: what may stand in for the default model. Nothing does that was not written down."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from clawgate.cli.context import LoadedConfig, complete_fallback, complete_ref, configured, refused
from clawgate.cli.model_changes import known_ref, model_options, warn_if_unlisted, write_change
from clawgate.policy.model_routing import ModelRef

_STANDS_IN = (
    "From now on a request for the default model ({primary}) that fails there may be answered by {ref}:\n"
    "the prompt is sent to that provider as well. It fails over when a provider cannot be reached, times out,\n"
    "refuses its credential or model (401, 402, 403, 404), limits (429) or breaks (5xx), never for a request's\n"
    "own faults (400, 413, 422), and never once an answer has begun. A request that names another model is not\n"
    "affected. Answers say who served: x-clawgate-provider, x-clawgate-model, x-clawgate-attempts."
)


@click.group()
def fallbacks() -> None:
    """What may stand in for the default model, if anything."""


@fallbacks.command("list")
@model_options
def list_fallbacks(config: str | None, as_json: bool) -> None:
    """In the order in which they are tried."""
    catalog = configured(config).catalog
    found = catalog.fallbacks
    left_out = [ref for ref in found if ref.provider not in catalog.providers]
    if as_json:
        shown = {"fallbacks": list(map(str, found)), "leftOut": list(map(str, left_out))}
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"Fallbacks ({len(found) - len(left_out)}):")
    for ref in found:
        mark = f" (left out: there is no provider '{ref.provider}')" if ref in left_out else ""
        click.echo(f"- {ref}{mark}")
    if not found:
        click.echo("- none")


@fallbacks.command("add")
@click.argument("model", shell_complete=complete_ref)
@model_options
def add_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Let MODEL stand in for the default model, after those that are there. It has to be written in full."""
    from clawgate.settings.openclaw.model_edits import with_fallback

    known = configured(config)
    present = known.catalog.fallbacks
    if ModelRef.parse(model) is None:
        meant = known.catalog.aliases.get(model)
        hint = f", e.g. {meant}" if meant else ""
        refused(f"a fallback has to be written in full, as provider/model{hint}: it decides where prompts go")
    ref = known_ref(known, model)
    if ref == known.catalog.primary:
        refused(f"{ref} is the default model itself")
    _write_fallbacks(known, lambda text: with_fallback(text, ref), as_json=as_json)
    if ref not in present and not as_json:
        primary = known.catalog.primary or "none is set yet"
        click.echo(_STANDS_IN.format(primary=primary, ref=ref))
    warn_if_unlisted(known, ref)


@fallbacks.command("remove")
@click.argument("model", shell_complete=complete_fallback)
@model_options
def remove_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Let MODEL stand in no more."""
    from clawgate.settings.openclaw.model_edits import without_fallbacks

    known = configured(config)
    held = known.file.config.agents.defaults.model.fallbacks
    if model not in held:
        there = ", ".join(held) or "none"
        refused(f"'{model}' is no fallback; there are: {there}")
    _write_fallbacks(known, lambda text: without_fallbacks(text, model), as_json=as_json)


@fallbacks.command("clear")
@model_options
def clear_fallbacks(config: str | None, as_json: bool) -> None:
    """Let nothing stand in: when the default model's provider fails, the request fails."""
    from clawgate.settings.openclaw.model_edits import without_fallbacks

    _write_fallbacks(configured(config), without_fallbacks, as_json=as_json)


def _write_fallbacks(known: LoadedConfig, edit: Callable[[str], str], *, as_json: bool) -> None:
    """``edit`` decides within the writer's lock: two that add at once both have their way."""
    from clawgate.settings.openclaw.model_edits import fallbacks_in

    names: list[str] = []

    def edited(text: str) -> str:
        after = edit(text)
        names[:] = fallbacks_in(after)
        return after

    result: dict[str, object] = {"fallbacks": names}
    write_change(
        known,
        edited,
        lambda: f"Fallbacks ({len(names)}): {', '.join(names) or '(none)'}",
        result,
        as_json=as_json,
    )
