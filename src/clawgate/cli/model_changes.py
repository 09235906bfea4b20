"""How does a command change the choice of models? A name is checked, the file written, and both are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from clawgate.cli.context import LoadedConfig, refused, write
from clawgate.cli.paths import place_options
from clawgate.policy.model_routing import NEAR, ModelRef

_F = TypeVar("_F", bound=Callable[..., Any])


def model_options(command: _F) -> _F:
    return place_options(click.option("--json", "as_json", is_flag=True, help="For programs.")(command))


def known_ref(known: LoadedConfig, name: str) -> ModelRef:
    """What the operator means; ends the command where its provider is not there."""
    ref = known.meant(name)
    if ref is None:
        aliased = f", nor an alias ({', '.join(known.catalog.aliases)})" if known.catalog.aliases else ""
        refused(f"'{name}' is not provider/model{aliased}; see: clawgate models list")
    if ref.provider not in known.catalog.providers:
        refused(unknown_provider(known, ref.provider))
    return ref


def unknown_provider(known: LoadedConfig, provider: str) -> str:
    import difflib

    near = difflib.get_close_matches(provider, known.catalog.providers, n=1, cutoff=NEAR)
    mean = f' Did you mean "{near[0]}"?' if near else ""
    return f'Unknown model provider "{provider}".{mean} Known: {", ".join(sorted(known.catalog.providers))}.'


def warn_if_unlisted(known: LoadedConfig, ref: ModelRef) -> None:
    provider = known.catalog.providers[ref.provider]
    listed = {model.id for model in provider.models}
    if listed and ref.model not in listed:
        click.echo(
            f'Warning: Model "{ref}" is not among the models that the config lists for {ref.provider}; '
            "requests for it are sent as they are, and the provider decides.",
            err=True,
        )
    if (why := provider.why_not(ref.model)) is not None:
        click.echo(f"Warning: requests for it would fail: {why}", err=True)


def write_change(
    known: LoadedConfig,
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
