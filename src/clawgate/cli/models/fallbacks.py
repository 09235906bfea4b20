"""``clawgate models fallbacks``: which models may replace the default model when its provider fails.

A fallback is used only if the operator configured it: prompts then go to that provider as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from clawgate.cli.completers import complete_fallback, complete_ref
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.models.changes import known_ref, warn_if_unlisted, write_change
from clawgate.cli.paths import json_option, path_options
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.openclaw.model_edits import fallbacks_in, with_fallback, without_fallbacks

_EFFECT = """\
If a request for the default model ({primary}) fails, it may now be sent to {ref}:
that provider then receives the prompt too. This happens when the provider before it cannot be
reached, times out, rejects its credential or the model (401, 402, 403, 404), limits the rate (429)
or fails (5xx). It does not happen for invalid requests (400, 413, 422), after the response has
begun, or for a request that names another model. The response names the provider that served it:
x-clawgate-provider, x-clawgate-model, x-clawgate-attempts."""


@click.group(cls=DefaultVerbGroup, default="list")
def fallbacks() -> None:
    """Models that may replace the default model. Without a command: list."""


@fallbacks.command("list")
@json_option
@path_options
def list_fallbacks(config: str | None, as_json: bool) -> None:
    """List the fallbacks in the order of their use."""
    catalog = load_config(config).catalog
    refs = catalog.fallbacks
    left_out = [ref for ref in refs if ref.provider not in catalog.providers]
    if as_json:
        output = {"fallbacks": list(map(str, refs)), "leftOut": list(map(str, left_out))}
        click.echo(json.dumps(output, indent=2))
        return
    click.echo(f"Fallbacks ({len(refs) - len(left_out)}):")
    for ref in refs:
        note = f" (left out: there is no provider '{ref.provider}')" if ref in left_out else ""
        click.echo(f"- {ref}{note}")
    if not refs:
        click.echo("- none")


@fallbacks.command("add", short_help="Add MODEL (provider/model) as the last fallback.")
@click.argument("model", shell_complete=complete_ref)
@json_option
@path_options
def add_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Add MODEL as the last fallback of the default model. It must be provider/model, not an alias."""
    loaded = load_config(config)
    present = loaded.catalog.fallbacks
    if ModelRef.parse(model) is None:
        ref = loaded.catalog.aliases.get(model)
        hint = f" ({ref})" if ref else ""
        fail(
            f"'{model}' is not provider/model; write a fallback in full{hint}, since it decides where prompts go",
            outcome=UNCHANGED,
        )
    ref = known_ref(loaded, model)
    if ref == loaded.catalog.primary:
        fail(f"{ref} is the default model itself", outcome=UNCHANGED)
    _write_fallbacks(loaded, lambda text: with_fallback(text, ref), as_json=as_json)
    if ref not in present and not as_json:
        primary = loaded.catalog.primary or "none is set yet"
        click.echo(_EFFECT.format(primary=primary, ref=ref))
    warn_if_unlisted(loaded, ref)


@fallbacks.command("remove", short_help="Remove MODEL from the fallbacks.")
@click.argument("model", shell_complete=complete_fallback)
@json_option
@path_options
def remove_fallback(model: str, config: str | None, as_json: bool) -> None:
    """Remove MODEL from the fallbacks."""
    loaded = load_config(config)
    present = loaded.file.config.agents.defaults.model.fallbacks
    if model not in present:
        fail(f"'{model}' is not a fallback; there are: {', '.join(present) or 'none'}", outcome=UNCHANGED)
    _write_fallbacks(loaded, lambda text: without_fallbacks(text, model), as_json=as_json)


@fallbacks.command("clear", short_help="Remove all fallbacks.")
@json_option
@path_options
def clear_fallbacks(config: str | None, as_json: bool) -> None:
    """Remove all fallbacks: if the provider of the default model fails, the request fails."""
    _write_fallbacks(load_config(config), without_fallbacks, as_json=as_json)


def _write_fallbacks(loaded: LoadedConfig, edit: Callable[[str], str], *, as_json: bool) -> None:
    """Apply ``edit`` under the writer's lock, to the text of that moment: two concurrent additions both count."""
    names: list[str] = []

    def edit_and_list(text: str) -> str:
        after = edit(text)
        names[:] = fallbacks_in(after)
        return after

    result: dict[str, object] = {"fallbacks": names}
    write_change(
        loaded,
        edit_and_list,
        lambda: f"Fallbacks ({len(names)}): {', '.join(names) or '(none)'}",
        result,
        as_json=as_json,
    )
