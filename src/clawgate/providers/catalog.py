"""Builds the catalog of providers, models and aliases from the config.

Every provider has an entry, also one that cannot be used: its ``problem`` says why, and the others are not affected.
Must not invent models: the config lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pydantic import ValidationError

from clawgate.plugins.host.implied_providers import ImpliedProvider, implied_providers
from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.model_routing import ModelRef, ResolvedModel, resolve
from clawgate.providers.built_in import BUILT_IN
from clawgate.providers.provider import Provider
from clawgate.providers.provider_builder import build_provider
from clawgate.settings.key_path import format_key_path, parse_key_path
from clawgate.settings.openclaw.own_settings import OwnSettings, ProviderSettings, network_rules, own_settings
from clawgate.settings.problems import format_message
from clawgate.settings.schema.openclaw import OpenClawConfig, ProviderBlock

_QUOTED = re.compile(r'(?:\A|\.)("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers and models. ``aliases`` are in the operator's spelling; ``notes`` name what is ignored."""

    providers: Mapping[str, Provider]
    aliases: Mapping[str, ModelRef]
    primary: ModelRef | None
    fallbacks: tuple[ModelRef, ...]
    notes: tuple[str, ...] = ()

    def listed(self) -> dict[str, tuple[str, ...]]:
        """Return the model ids by provider, as the config lists them."""
        return {
            name: tuple(model.id for model in provider.models) for name, provider in self.providers.items()
        }

    def used_providers(self) -> list[Provider]:
        """Return all but the built-in providers that neither the default nor a fallback names."""
        named = {ref.provider for ref in (self.primary, *self.fallbacks) if ref is not None}
        return [one for one in self.providers.values() if not one.built_in or one.id in named]

    def resolve(self, name: str) -> ResolvedModel:
        """Return the chain of models that serves a request for ``name``. Raises `ModelNotFound`."""
        return resolve(
            name,
            providers=self.providers,
            aliases=self.aliases,
            primary=self.primary,
            fallbacks=self.fallbacks,
            listed=self.listed(),
        )


def build_catalog(
    config: OpenClawConfig, unset: Mapping[str, str], environment: Mapping[str, str]
) -> Catalog:
    """Build the catalog. Never raises for a problem of one provider.

    ``unset`` maps the key path of a reference to its variable that is not set.
    """
    blocks: dict[str, ProviderBlock | None] = {}
    if config.models.mode == "merge":
        blocks = dict.fromkeys(BUILT_IN)
    blocks |= config.models.providers
    own, network = own_settings(config), network_rules(config)
    providers = {
        name: _with_own_settings(build_provider(name, block, _within(name, unset), environment), own, network)
        for name, block in blocks.items()
    }
    for name, implied in implied_providers(config, environment).items():
        providers[name] = _implied_provider(name, implied, environment, own, network)
    notes: list[str] = []
    aliases = _aliases(config, notes)
    choice = config.agents.defaults.model
    primary = _default_model(choice.primary, aliases, "agents.defaults.model.primary", notes)
    fallbacks: list[ModelRef] = []
    for number, text in enumerate(choice.fallbacks):
        ref = ModelRef.parse(text)
        key_path = f"agents.defaults.model.fallbacks[{number}]"
        if ref is None:
            notes.append(f"{key_path}: '{text}' is ignored; write it in full, as provider/model")
        else:
            fallbacks.append(ref)
            if ref.provider not in providers:
                notes.append(f"{key_path}: '{text}' is ignored: there is no provider '{ref.provider}'")
    if primary is not None and primary.provider not in providers:
        notes.append(f"agents.defaults.model.primary: there is no provider '{primary.provider}'")
    return Catalog(
        MappingProxyType(providers), MappingProxyType(aliases), primary, tuple(fallbacks), tuple(notes)
    )


def _implied_provider(
    name: str,
    implied: ImpliedProvider,
    environment: Mapping[str, str],
    own: OwnSettings,
    network: NetworkRules,
) -> Provider:
    """Build the provider of a plugin's settings. Never raises for what is wrong with them."""
    problem = implied.problem
    try:
        block = ProviderBlock.model_validate(implied.block)
        of_plugin = ProviderSettings.model_validate(implied.own)
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        problem = f"{format_key_path((*implied.path, *detail['loc']))} {format_message(detail)}"
        block, of_plugin = ProviderBlock(), ProviderSettings()
    provider = build_provider(
        name,
        block,
        {},
        environment,
        key_path=format_key_path(implied.path),
        network_setting=implied.network_setting,
        address_setting=implied.address_variable,
    )
    if name not in own.providers:
        own = own.model_copy(update={"providers": {**own.providers, name: of_plugin}})
    return _with_own_settings(replace(provider, problem=problem or provider.problem), own, network)


def _with_own_settings(provider: Provider, own: OwnSettings, network: NetworkRules) -> Provider:
    count, seconds, key = own.connections_of(provider.id)
    return replace(
        provider,
        max_connections=count,
        connection_wait_seconds=seconds,
        max_connections_setting=key,
        discovers_models=own.discovers_models_of(provider.id),
        network=network,
        timeouts=own.providers.get(provider.id, ProviderSettings()).timeouts.by_limit(),
    )


def _default_model(
    text: str | None, aliases: Mapping[str, ModelRef], key_path: str, notes: list[str]
) -> ModelRef | None:
    if not text:
        return None
    ref = ModelRef.parse(text) or aliases.get(text)
    if ref is None:
        notes.append(f"{key_path}: '{text}' is neither provider/model nor an alias")
    return ref


def _aliases(config: OpenClawConfig, notes: list[str]) -> dict[str, ModelRef]:
    """Return the aliases of models that are named in full. One that looks like a full name could redirect that name."""
    aliases: dict[str, ModelRef] = {}
    for name, settings in config.agents.defaults.models.items():
        if not settings.alias:
            continue
        ref = ModelRef.parse(name)
        key_path = f"{format_key_path(('agents', 'defaults', 'models', name))}.alias"
        if ref is None:
            notes.append(f"{key_path} is ignored: '{name}' is not provider/model")
        elif "/" in settings.alias:
            notes.append(f"{key_path} is ignored: '{settings.alias}' looks like provider/model")
        elif any(settings.alias.casefold() == other.casefold() for other in aliases):
            notes.append(f"{key_path} is ignored: '{settings.alias}' is already the alias of another model")
        else:
            aliases[settings.alias] = ref
    return aliases


def _within(name: str, unset: Mapping[str, str]) -> dict[str, str]:
    """Return the part of ``unset`` below one provider, as ``headers.X-Team``: keys joined by dots."""
    within: dict[str, str] = {}
    plain = f"models.providers.{name}."
    keys: tuple[str, ...] | None
    for path, variable in unset.items():
        if path.startswith(plain):
            keys = _keys(path.removeprefix(plain))
        else:
            whole = _keys(path)
            keys = whole[3:] if whole[:3] == ("models", "providers", name) else None
        if keys is not None:
            within[".".join(keys)] = variable
    return within


def _keys(path: str) -> tuple[str, ...]:
    """Split a path whose odd keys are in quotes or in brackets."""
    try:
        return tuple(str(key) for key in parse_key_path(_QUOTED.sub(r"[\1]", path)))
    except ValueError:
        return (path,)
