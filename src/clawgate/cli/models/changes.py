"""Resolves a model named on the command line, and writes a change of the model selection to the config file."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from clawgate.cli.context import LoadedConfig, print_effect_of, print_written, write_config
from clawgate.cli.effect import effect_of
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.policy.model_routing import ModelRef
from clawgate.policy.typos import typo_of


def known_ref(loaded: LoadedConfig, name: str) -> ModelRef:
    """Return the model of an alias or of ``provider/model``; an unknown one ends the command."""
    ref = loaded.parse_model(name)
    if ref is None:
        aliases = ", ".join(loaded.catalog.aliases)
        no_alias = f" and not an alias ({aliases})" if aliases else ""
        fail(f"'{name}' is not provider/model{no_alias}; see: clawgate models list", outcome=UNCHANGED)
    if ref.provider not in loaded.catalog.providers:
        fail(unknown_provider(loaded, ref.provider), outcome=UNCHANGED)
    return ref


def unknown_provider(loaded: LoadedConfig, provider: str) -> str:
    near = typo_of(provider, loaded.catalog.providers)
    suggestion = f"; did you mean '{near}'?" if near else ""
    known = ", ".join(sorted(loaded.catalog.providers))
    return f"unknown provider '{provider}'{suggestion} (known: {known})"


def warn_if_unlisted(loaded: LoadedConfig, ref: ModelRef) -> None:
    """Warn that requests for ``ref`` would fail, or that the config does not list it."""
    provider = loaded.catalog.providers[ref.provider]
    listed = {model.id for model in provider.models}
    if listed and ref.model not in listed:
        click.echo(
            f"Warning: the config does not list the model {ref}; requests for it are sent to "
            f"{ref.provider}, which accepts or rejects them",
            err=True,
        )
    if (reason := provider.model_problem(ref.model)) is not None:
        click.echo(f"Warning: requests for {ref} would fail: {reason}", err=True)


def write_change(
    loaded: LoadedConfig,
    edit: Callable[[str], str],
    summary: Callable[[], str],
    result: dict[str, object],
    *,
    as_json: bool,
) -> None:
    """Write the change and print it: ``summary`` as text, ``result`` as JSON. Both are read after the write."""
    written = write_config(loaded.path, edit)
    if as_json:
        backup = str(written.backup) if written.backup else None
        output: dict[str, object] = {
            "configPath": str(loaded.path),
            "changed": written.changed,
            "backup": backup,
        }
        if written.changed:
            output["gateway"] = effect_of(loaded.paths, written).to_json()
        click.echo(json.dumps(output | result, indent=2))
        return
    if not written.changed:
        click.echo("No change")
    print_written(loaded.path, written)
    click.echo(summary())
    print_effect_of(loaded.paths, written)
