"""How do commands about models come by what the config makes, and by the words that a shell may complete?"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import places, read
from clawgate.policy.model_routing import ModelRef, ResolvedModel, resolve

if TYPE_CHECKING:
    from clawgate.providers.catalog import Catalog
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.settings.openclaw.update import WriteResult


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """The config file (a default one may be missing) and what it makes."""

    path: Path
    file: ConfigFile
    catalog: Catalog

    def choose(self, asked: str) -> ResolvedModel:
        """Who is to answer ``asked``; raises `ModelNotFound`."""
        found = self.catalog
        return resolve(
            asked,
            providers=found.providers,
            aliases=found.aliases,
            primary=found.primary,
            fallbacks=found.fallbacks,
            listed=found.listed(),
        )

    def meant(self, name: str) -> ModelRef | None:
        """What an operator means by ``name``: an alias, or a model in full, of whichever provider."""
        return self.catalog.aliases.get(name) or ModelRef.parse(name)


def configured(config: str | None) -> LoadedConfig:
    """What ``--config`` or the environment lead to; ends the command where that file cannot be used."""
    from clawgate.providers.catalog import build_catalog

    where = places(config)
    file, problems = read(where)
    if file is None:
        click.echo("clawgate: these settings cannot be used:", err=True)
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
        sys.exit(ExitCode.USAGE)
    return LoadedConfig(where.config, file, build_catalog(file.config, file.unset, file.environment))


def refused(message: str) -> NoReturn:
    """End a command that would have changed the file."""
    click.echo(f"clawgate: {message.rstrip('.')}. Config was not changed.", err=True)
    sys.exit(ExitCode.FAILED)


def write(path: Path, edit: Callable[[str], str]) -> WriteResult:
    """Through the one careful writer; ends the command where nothing could be written, and says why."""
    from clawgate.settings.atomic_write import WriteFailed
    from clawgate.settings.json5.edit import EditNotSupported, EditVerificationFailed
    from clawgate.settings.json5.source_map import InvalidJson5
    from clawgate.settings.openclaw.update import update
    from clawgate.settings.problems import SettingsInvalid

    try:
        written = update(path, dict(os.environ), edit)
    except SettingsInvalid as error:
        refused("; ".join(map(str, error.problems)))
    except (WriteFailed, EditNotSupported, EditVerificationFailed, InvalidJson5) as error:
        refused(str(error))
    for problem in written.remaining:
        click.echo(f"Warning: still wrong with the file: {problem}", err=True)
    return written


def _catalog_for_completion(ctx: click.Context) -> Catalog | None:
    """None for a file that cannot be read: a shell that completes is no place for complaints."""
    from clawgate.providers.catalog import build_catalog

    with contextlib.suppress(click.UsageError, OSError):
        file, _ = read(places(ctx.params.get("config")))
        return build_catalog(file.config, file.unset, file.environment) if file else None
    return None


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(incomplete)]


def complete_provider(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = _catalog_for_completion(ctx)
    return _beginning(found.providers, incomplete) if found else []


def complete_alias(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = _catalog_for_completion(ctx)
    return _beginning(found.aliases, incomplete) if found else []


def complete_ref(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models in full, as the config lists or names them."""
    found = _catalog_for_completion(ctx)
    return _beginning(map(str, known_refs(found)), incomplete) if found else []


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models in full, and aliases."""
    found = _catalog_for_completion(ctx)
    return _beginning({*map(str, known_refs(found)), *found.aliases}, incomplete) if found else []


def complete_fallback(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = _catalog_for_completion(ctx)
    return _beginning(map(str, found.fallbacks), incomplete) if found else []


def known_refs(catalog: Catalog) -> list[ModelRef]:
    """Every model that the config lists or names, each once: in its providers' order, then what is only named."""
    listed = [ModelRef(name, model) for name, models in catalog.listed().items() for model in models]
    named = [catalog.primary] if catalog.primary else []
    return list(dict.fromkeys([*named, *listed, *catalog.fallbacks, *catalog.aliases.values()]))
