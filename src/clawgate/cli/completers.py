"""Completes names of the config for the shell. Must not print: an unusable config completes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from clawgate.cli.paths import find_paths, read_config_at
from clawgate.policy.model_routing import ModelRef

if TYPE_CHECKING:
    from clawgate.providers.catalog import Catalog
    from clawgate.settings.openclaw.config_file import ConfigFile


def complete_provider(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    catalog = _catalog(ctx)
    return _matching(catalog.providers, incomplete) if catalog else []


def complete_alias(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    catalog = _catalog(ctx)
    return _matching(catalog.aliases, incomplete) if catalog else []


def complete_ref(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``provider/model`` from the models that the config lists or names."""
    catalog = _catalog(ctx)
    return _matching(map(str, known_refs(catalog)), incomplete) if catalog else []


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    catalog = _catalog(ctx)
    return _matching({*map(str, known_refs(catalog)), *catalog.aliases}, incomplete) if catalog else []


def complete_fallback(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    catalog = _catalog(ctx)
    return _matching(map(str, catalog.fallbacks), incomplete) if catalog else []


def complete_agent(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clawgate.settings.openclaw.agent_ids import agent_ids

    file = _config_file(ctx)
    return _matching(agent_ids(file.config), incomplete) if file else []


def complete_mcp_server(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    file = _config_file(ctx)
    return _matching(file.config.mcp.servers, incomplete) if file else []


def known_refs(catalog: Catalog) -> list[ModelRef]:
    """Return each model that the config lists or names once: the default, the listed, then those only named."""
    listed = [ModelRef(name, model) for name, models in catalog.listed().items() for model in models]
    primary = [catalog.primary] if catalog.primary else []
    return list(dict.fromkeys([*primary, *listed, *catalog.fallbacks, *catalog.aliases.values()]))


def _catalog(ctx: click.Context) -> Catalog | None:
    from clawgate.providers.catalog import build_catalog

    file = _config_file(ctx)
    return build_catalog(file.config, file.unset, file.environment) if file else None


def _config_file(ctx: click.Context) -> ConfigFile | None:
    with contextlib.suppress(click.UsageError, OSError):
        return read_config_at(find_paths(ctx.params.get("config")))[0]
    return None


def _matching(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(incomplete)]
