"""Which providers, models and aliases does the config make? Every provider is an entry, also one that cannot serve.

A provider that lacks something says what in ``why_not_ready``, and the others are none the worse for it. Secrets come
from the config alone, substituted already; the environment is read for the built-ins' own keys, which go to their
own origins and nowhere else. Model names are what the config lists: none are invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from clawgate.policy.egress import Reason
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.credential_selection import choose_credential, how_to_set
from clawgate.providers.endpoint import address_kind, address_notes, endpoint_of, proxy_of, tls_trouble
from clawgate.providers.provider import Model, Provider
from clawgate.settings.key_path import format_key_path, parse_key_path
from clawgate.settings.openclaw.schema import ModelEntry, OpenClawConfig, ProviderBlock
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import Origin, parse_url

_QUOTED = re.compile(r'(?:\A|\.)("(?:[^"\\]|\\.)*")')

SUPPORTED_APIS = ("openai-completions", "openai-responses", "anthropic-messages")
"""The values of ``api`` that clawgate speaks to a provider."""


_HAS_TO_BE_KNOWN = (
    "", "baseUrl", "api", "auth", "headers", "request", "request.headers", "request.auth", "request.auth.mode",
    "request.auth.prefix", "request.allowPrivateNetwork", "request.proxy", "request.proxy.mode", "request.tls",
    "request.tls.serverName", "request.tls.insecureSkipVerify",
)  # fmt: skip
"""Settings that may be references and have a default: where one leads nowhere, requests would go another way than the
operator wrote, to another place or with another credential. Those without a default are asked for where they are used;
the whole provider is ""."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A provider that is there without config."""

    base_url: str
    variable: str
    api: str


LOCAL_SERVICES = frozenset({"proxy-bridge", "anthropic-claude-proxy"})
"""Providers that are services of this gateway's own on loopback, so that nobody has to allow that."""

BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "openai": BuiltIn("https://api.openai.com/v1", "OPENAI_API_KEY", "openai-completions"),
        "anthropic": BuiltIn("https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic-messages"),
    }
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """What requests can be sent to. ``aliases`` in the operator's spelling; ``notes`` tell what was not taken."""

    providers: Mapping[str, Provider]
    aliases: Mapping[str, ModelRef]
    primary: ModelRef | None
    fallbacks: tuple[ModelRef, ...]
    notes: tuple[str, ...] = ()

    def listed(self) -> dict[str, tuple[str, ...]]:
        """Model ids by provider, as the config lists them."""
        return {name: tuple(model.id for model in found.models) for name, found in self.providers.items()}


def build_catalog(
    config: OpenClawConfig, unset: Mapping[str, str], environment: Mapping[str, str]
) -> Catalog:
    """``unset``: key path of a secret -> the variable that is not set. Never raises for what a provider lacks."""
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
    primary = _named(choice.primary, aliases, "agents.defaults.model.primary", notes)
    fallbacks: list[ModelRef] = []
    for number, text in enumerate(choice.fallbacks):
        found = ModelRef.parse(text)
        place = f"agents.defaults.model.fallbacks[{number}]"
        if found is None:
            notes.append(f"{place}: '{text}' is left out: write it in full, as provider/model")
        else:
            fallbacks.append(found)
            if found.provider not in providers:
                notes.append(f"{place}: '{text}' is left out: there is no provider '{found.provider}'")
    if primary is not None and primary.provider not in providers:
        notes.append(f"agents.defaults.model.primary: there is no provider '{primary.provider}'")
    return Catalog(
        MappingProxyType(providers), MappingProxyType(aliases), primary, tuple(fallbacks), tuple(notes)
    )


def _named(
    text: str | None, aliases: Mapping[str, ModelRef], place: str, notes: list[str]
) -> ModelRef | None:
    if not text:
        return None
    found = ModelRef.parse(text) or aliases.get(text)
    if found is None:
        notes.append(f"{place}: '{text}' is neither provider/model nor an alias")
    return found


def _aliases(config: OpenClawConfig, notes: list[str]) -> dict[str, ModelRef]:
    """Aliases of models that are named in full. One that looks like a full name is left out: it could redirect one."""
    found: dict[str, ModelRef] = {}
    for name, settings in config.agents.defaults.models.items():
        if not settings.alias:
            continue
        ref = ModelRef.parse(name)
        place = f"{format_key_path(('agents', 'defaults', 'models', name))}.alias"
        if ref is None:
            notes.append(f"{place} is left out: '{name}' is not provider/model")
        elif "/" in settings.alias:
            notes.append(f"{place} is left out: '{settings.alias}' looks like provider/model")
        elif any(settings.alias.casefold() == other.casefold() for other in found):
            notes.append(f"{place} is left out: '{settings.alias}' is another model's alias already")
        else:
            found[settings.alias] = ref
    return found


def _within(name: str, unset: Mapping[str, str]) -> dict[str, str]:
    """The part of ``unset`` below one provider, as ``headers.X-Team``: keys joined by dots, whatever they hold."""
    found: dict[str, str] = {}
    plain = f"models.providers.{name}."
    keys: tuple[str, ...] | None
    for path, variable in unset.items():
        if path.startswith(plain):
            keys = _keys(path.removeprefix(plain))
        else:
            whole = _keys(path)
            keys = whole[3:] if whole[:3] == ("models", "providers", name) else None
        if keys is not None:
            found[".".join(keys)] = variable
    return found


def _keys(path: str) -> tuple[str, ...]:
    """Of a path with its odd keys in quotes or in brackets."""
    try:
        return tuple(str(key) for key in parse_key_path(_QUOTED.sub(r"[\1]", path)))
    except ValueError:
        return (path,)


def _provider(
    name: str, block: ProviderBlock | None, unset: Mapping[str, str], environment: Mapping[str, str]
) -> Provider:
    """One entry. ``block`` is None for a built-in that the config does not mention."""
    own = BUILT_IN.get(name)
    where = format_key_path(("models", "providers", name))
    notes: list[str] = []
    block = block or ProviderBlock()
    api = block.api or (own.api if own else "openai-completions")
    if own is None and block.api is None:
        notes.append("api is not set: openai-completions is what is spoken")
    at_home = own.base_url if own is not None and "baseUrl" not in unset else None
    origin, path, trouble = endpoint_of(block.base_url or at_home, api, where, unset)
    missing_key: str | None = None
    if own is not None:
        block, missing_key = _with_own_key(block, own, origin, where, unset, environment, notes)
    chosen = choose_credential(block, where=where, api=api, unset=unset, missing_key=missing_key)
    request = block.request
    proxy, proxy_trouble = proxy_of(request.proxy, where, unset)
    tls = request.tls
    troubles = [
        f"its id '{name}' holds a slash, so no request could name it: rename it" if "/" in name else None,
        None
        if api in SUPPORTED_APIS
        else f"clawgate does not speak {where}.api '{api}'; it speaks {', '.join(SUPPORTED_APIS)}",
        trouble,
        f"{where}.auth 'aws-sdk' is not supported" if block.auth == "aws-sdk" else None,
        chosen.why_not,
        proxy_trouble,
        tls_trouble(block, where, unset),
        *(
            _not_set(f"{where}.{key}".removesuffix("."), unset[key])
            for key in _HAS_TO_BE_KNOWN
            if key in unset
        ),
    ]
    local = name in LOCAL_SERVICES and origin is not None and address_kind(origin) is Reason.LOOPBACK
    trusted = request.allow_private_network is True or (local and request.allow_private_network is None)
    trust_setting = f"{where}.request.allowPrivateNetwork"
    if origin is not None:
        notes += address_notes(origin, chosen, trusted, trust_setting, proxy is not None)
    return Provider(
        id=name,
        api=api,
        origin=origin,
        path=path,
        credential=chosen.credential,
        headers=chosen.headers,
        trusted=trusted,
        trust_setting=trust_setting,
        timeout_seconds=block.timeout_seconds,
        models=_models(block.models, api, notes),
        ca=tls.ca if tls else None,
        certificate=tls.cert if tls else None,
        key=tls.key.get_secret_value() if tls and tls.key else None,
        server_name=tls.server_name if tls else None,
        insecure=tls.insecure_skip_verify if tls else False,
        proxy=proxy,
        built_in=own is not None,
        why_not_ready=next((reason for reason in troubles if reason), None),
        notes=(*chosen.notes, *notes),
    )


def _not_set(key: str, variable: str) -> str:
    return f"a setting of it is not set: {how_to_set(key, variable)}"


def _with_own_key(
    block: ProviderBlock,
    own: BuiltIn,
    origin: Origin | None,
    where: str,
    unset: Mapping[str, str],
    environment: Mapping[str, str],
    notes: list[str],
) -> tuple[ProviderBlock, str | None]:
    """The block with the key of the environment where that belongs, and why the provider cannot do without a key."""
    ways = f"set {own.variable}, or {where}.apiKey"
    if block.api_key is not None or "apiKey" in unset:
        return block, None
    at_home = origin == parse_url(own.base_url)[0]
    if not at_home:
        elsewhere = str(origin) if origin else "another place"
        return block, (
            f"its key is not set: {own.variable} belongs to {own.base_url} and is not sent to {elsewhere}; "
            f"set {where}.apiKey"
        )
    key = environment.get(own.variable, "")
    if not key:
        return block, f"its key is not set: {ways}"
    if reason := secret_problem(key):
        return block, f"its key cannot be used: {own.variable} {reason}"
    notes.append(f"its key comes from {own.variable}")
    return block.model_copy(update={"api_key": SecretStr(key)}), None


def _models(entries: tuple[ModelEntry, ...], api: str, notes: list[str]) -> tuple[Model, ...]:
    found: dict[str, Model] = {}
    for entry in entries:
        if entry.id in found:
            notes.append(f"model '{entry.id}' is listed twice; its first entry counts")
            continue
        other_api = entry.api is not None and _family(entry.api) != _family(api)
        own = (("baseUrl", entry.base_url is not None), ("headers", entry.headers), ("api", other_api))
        compat: Mapping[str, Any] = MappingProxyType(dict(entry.compat))
        found[entry.id] = Model(
            id=entry.id,
            name=entry.name or entry.id,
            max_tokens=entry.max_tokens,
            context_window=entry.context_window,
            input=entry.input,
            reasoning=entry.reasoning,
            compat=compat,
            elsewhere=next((key for key, given in own if given), None),
        )
    return tuple(found.values())


def _family(api: str) -> str:
    """OpenAI's two are one server's: which of them is spoken is for the client to say."""
    return "openai" if api.startswith("openai-") else api
