"""Builds the catalog of providers, models and aliases from the config.

Every provider has an entry, also one that cannot be used: its ``problem`` says why, and the others are not affected.
Secrets come from the config alone, with references resolved; the environment is read only for the keys of the
built-ins, which go to their own origins and nowhere else. Must not invent models: the config lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from clawgate.plugins.host.bundled import local_providers
from clawgate.policy.egress import Reason
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.credential_selection import choose_credential, how_to_set
from clawgate.providers.endpoint import address_kind, address_notes, endpoint_of, proxy_of, tls_problem
from clawgate.providers.provider import Model, Provider
from clawgate.settings.fields import BaseUrl
from clawgate.settings.key_path import format_key_path, parse_key_path
from clawgate.settings.openclaw.schema import ModelEntry, OpenClawConfig, ProviderBlock
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import Origin, parse_url

_QUOTED = re.compile(r'(?:\A|\.)("(?:[^"\\]|\\.)*")')

SUPPORTED_APIS = ("openai-completions", "openai-responses", "anthropic-messages")
"""The values of ``api`` that are supported."""


_NO_DEFAULT_FOR = (
    "", "baseUrl", "api", "auth", "headers", "request", "request.headers", "request.auth", "request.auth.mode",
    "request.auth.prefix", "request.allowPrivateNetwork", "request.proxy", "request.proxy.mode", "request.tls",
    "request.tls.serverName", "request.tls.insecureSkipVerify",
)  # fmt: skip
"""Settings that have a default and may be references. Where such a reference is not set the default must not be used:
requests would go to another address, or with another credential, than the operator configured. Settings without a
default are checked key_path they are used. "" is the whole provider."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A provider that exists without config."""

    base_url: str
    variable: str
    api: str


BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "openai": BuiltIn("https://api.openai.com/v1", "OPENAI_API_KEY", "openai-completions"),
        "anthropic": BuiltIn("https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic-messages"),
    }
)


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
    providers = {
        name: _provider(name, block, _within(name, unset), environment) for name, block in blocks.items()
    }
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


def _provider(
    name: str, block: ProviderBlock | None, unset: Mapping[str, str], environment: Mapping[str, str]
) -> Provider:
    """Make one entry. ``block`` is None for a built-in that the config does not mention."""
    built_in = BUILT_IN.get(name)
    key_path = format_key_path(("models", "providers", name))
    notes: list[str] = []
    block = block or ProviderBlock()
    api = block.api or (built_in.api if built_in else "openai-completions")
    if built_in is None and block.api is None:
        notes.append("api is not set; using the default: openai-completions")
    url = block.base_url
    if url is None and built_in is not None and "baseUrl" not in unset:
        url = BaseUrl.parse(built_in.base_url)
    origin, path, url_problem = endpoint_of(url, api, key_path, unset)
    missing_key: str | None = None
    if built_in is not None:
        block, missing_key = _with_environment_key(
            block, built_in, origin, key_path, unset, environment, notes
        )
    selection = choose_credential(block, key_path=key_path, api=api, unset=unset, missing_key=missing_key)
    request = block.request
    proxy, proxy_problem = proxy_of(request.proxy, key_path, unset)
    tls = request.tls
    problems = [
        f"its id '{name}' has a slash, so no request can name it; rename it" if "/" in name else None,
        None
        if api in SUPPORTED_APIS
        else f"{key_path}.api '{api}' is not supported; use one of {', '.join(SUPPORTED_APIS)}",
        url_problem,
        f"{key_path}.auth 'aws-sdk' is not supported" if block.auth == "aws-sdk" else None,
        selection.problem,
        proxy_problem,
        tls_problem(block, key_path, unset),
        *(
            _not_set(f"{key_path}.{key}".removesuffix("."), unset[key])
            for key in _NO_DEFAULT_FOR
            if key in unset
        ),
    ]
    local = name in local_providers() and origin is not None and address_kind(origin) is Reason.LOOPBACK
    allow_private = request.allow_private_network is True or (local and request.allow_private_network is None)
    allow_private_setting = f"{key_path}.request.allowPrivateNetwork"
    if origin is not None:
        notes += address_notes(
            origin,
            sends_credential=bool(selection.credential.line()),
            allow_private=allow_private,
            allow_private_setting=allow_private_setting,
            has_proxy=proxy is not None,
        )
    return Provider(
        id=name,
        api=api,
        origin=origin,
        path=path,
        credential=selection.credential,
        headers=selection.headers,
        allow_private=allow_private,
        allow_private_setting=allow_private_setting,
        timeout_seconds=block.timeout_seconds,
        models=_models(block.models, api, notes),
        ca=tls.ca if tls else None,
        certificate=tls.cert if tls else None,
        key=tls.key.get_secret_value() if tls and tls.key else None,
        server_name=tls.server_name if tls else None,
        insecure=tls.insecure_skip_verify if tls else False,
        proxy=proxy,
        built_in=built_in is not None,
        problem=next((problem for problem in problems if problem), None),
        notes=(*selection.notes, *notes),
    )


def _not_set(key: str, variable: str) -> str:
    return f"a setting of it is not set: {how_to_set(key, variable)}"


def _with_environment_key(
    block: ProviderBlock,
    built_in: BuiltIn,
    origin: Origin | None,
    key_path: str,
    unset: Mapping[str, str],
    environment: Mapping[str, str],
    notes: list[str],
) -> tuple[ProviderBlock, str | None]:
    """Return the block with the environment's key, and the problem key_path a key is needed and missing."""
    if block.api_key is not None or "apiKey" in unset:
        return block, None
    if origin != parse_url(built_in.base_url)[0]:
        address = str(origin) if origin else "another address"
        return block, (
            f"its key is not set: {built_in.variable} belongs to {built_in.base_url} and is not sent to {address}; "
            f"set {key_path}.apiKey"
        )
    key = environment.get(built_in.variable, "")
    if not key:
        return block, f"its key is not set: set {built_in.variable}, or {key_path}.apiKey"
    if reason := secret_problem(key):
        return block, f"its key cannot be used: {built_in.variable} {reason}"
    notes.append(f"its key comes from {built_in.variable}")
    return block.model_copy(update={"api_key": SecretStr(key)}), None


def _models(entries: tuple[ModelEntry, ...], api: str, notes: list[str]) -> tuple[Model, ...]:
    models: dict[str, Model] = {}
    for entry in entries:
        if entry.id in models:
            notes.append(f"model '{entry.id}' is listed twice; the first entry is used")
            continue
        other_api = entry.api is not None and _family(entry.api) != _family(api)
        own_settings = (
            ("baseUrl", entry.base_url is not None),
            ("headers", entry.headers),
            ("api", other_api),
        )
        compat: Mapping[str, Any] = MappingProxyType(dict(entry.compat))
        models[entry.id] = Model(
            id=entry.id,
            name=entry.name or entry.id,
            max_tokens=entry.max_tokens,
            context_window=entry.context_window,
            input=entry.input,
            reasoning=entry.reasoning,
            compat=compat,
            unsupported_setting=next((key for key, is_set in own_settings if is_set), None),
        )
    return tuple(models.values())


def _family(api: str) -> str:
    """OpenAI's two APIs are one server's: the client decides which of them is used."""
    return "openai" if api.startswith("openai-") else api
