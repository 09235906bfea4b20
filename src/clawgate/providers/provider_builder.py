"""Builds one provider from its block of the config, with the problem that keeps it from being used.

Secrets come from the config alone, with references resolved; the environment is read only for the key of a built-in,
which goes to its own origin and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from clawgate.plugins.host.bundled import local_providers
from clawgate.providers.built_in import BUILT_IN, OPENAI_HOSTS, SUPPORTED_APIS, BuiltIn
from clawgate.providers.credential_selection import choose_credential, how_to_set
from clawgate.providers.endpoint import address_notes, endpoint_of, never_dialled, proxy_of, tls_problem
from clawgate.providers.provider import Model, Provider
from clawgate.settings.fields import BaseUrl
from clawgate.settings.key_path import format_key_path
from clawgate.settings.schema.openclaw import ModelEntry, ProviderBlock, RequestTls
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import Origin, parse_url

_NO_DEFAULT_FOR = (
    "", "baseUrl", "api", "auth", "headers", "request", "request.headers", "request.auth", "request.auth.mode",
    "request.auth.prefix", "request.allowPrivateNetwork", "request.proxy", "request.proxy.mode", "request.tls",
    "request.tls.serverName", "request.tls.insecureSkipVerify",
)  # fmt: skip
"""Settings that have a default and may be references. Where such a reference is not set the default must not be used:
requests would go to another address, or with another credential, than the operator configured. Settings without a
default are checked where they are used. "" is the whole provider."""


def build_provider(
    name: str,
    block: ProviderBlock | None,
    unset: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    key_path: str = "",
    network_setting: str = "",
    address_setting: str = "",
) -> Provider:
    """Make the entry of one provider. ``block`` is None for a built-in that the config does not mention.

    ``unset`` maps the key path of a reference within the provider to its variable that is not set. ``key_path`` is
    where its settings are, if not in ``models.providers``; ``network_setting`` allows it a private address,
    ``address_setting`` is a variable that its address is from.
    """
    built_in = BUILT_IN.get(name)
    key_path = key_path or format_key_path(("models", "providers", name))
    notes: list[str] = []
    block = block or ProviderBlock()
    api = block.api or (built_in.api if built_in else "openai-completions")
    if built_in is None and block.api is None:
        notes.append("api is not set; using the default: openai-completions")
    origin, path, url_problem = endpoint_of(_url_of(block, built_in, unset), api, key_path, unset)
    block, missing_key = _with_environment_key(block, built_in, origin, key_path, unset, environment, notes)
    selection = choose_credential(block, key_path=key_path, api=api, unset=unset, missing_key=missing_key)
    proxy, proxy_problem = proxy_of(block.request.proxy, key_path, unset)
    problems = (
        block.problem,
        f"its id '{name}' has a slash, so no request can name it; rename it" if "/" in name else None,
        _api_problem(api, key_path),
        url_problem,
        f"{key_path}.auth 'aws-sdk' is not supported" if block.auth == "aws-sdk" else None,
        selection.problem,
        proxy_problem,
        tls_problem(block, key_path, unset),
        *_unset_problems(key_path, unset),
    )
    model_notes: list[str] = []
    provider = Provider(
        id=name,
        api=api,
        origin=origin,
        further_apis=_further_apis(api, origin),
        path=path,
        credential=selection.credential,
        headers=selection.headers,
        allow_private=block.request.allow_private_network is True,
        trusts_loopback=name in local_providers() and block.request.allow_private_network is None,
        allow_private_setting=network_setting or f"{key_path}.request.allowPrivateNetwork",
        address_setting=address_setting or f"{key_path}.baseUrl",
        timeout_seconds=block.timeout_seconds,
        models=_models(block.models, api, model_notes),
        proxy=proxy,
        built_in=built_in is not None,
        problem=next((problem for problem in problems if problem), None),
        **_tls_settings(block.request.tls),
    )
    return _with_notes(provider, [*selection.notes, *notes], model_notes)


def _url_of(block: ProviderBlock, built_in: BuiltIn | None, unset: Mapping[str, str]) -> BaseUrl | None:
    if block.base_url is None and built_in is not None and "baseUrl" not in unset:
        return BaseUrl.parse(built_in.base_url)
    return block.base_url


def _with_notes(provider: Provider, before: list[str], after: list[str]) -> Provider:
    """Return the provider with all notes, and with the problem of its address where it is never dialled."""
    refused = never_dialled(provider)
    return replace(
        provider,
        notes=(*before, *address_notes(provider), *after),
        problem=provider.problem if refused is None else refused.message,
    )


def _api_problem(api: str, key_path: str) -> str | None:
    if api in SUPPORTED_APIS:
        return None
    return f"{key_path}.api '{api}' is not supported; use one of {', '.join(SUPPORTED_APIS)}"


def _unset_problems(key_path: str, unset: Mapping[str, str]) -> Iterator[str]:
    for key in _NO_DEFAULT_FOR:
        if key in unset:
            how = how_to_set(f"{key_path}.{key}".removesuffix("."), unset[key])
            yield f"a setting of it is not set: {how}"


def _tls_settings(tls: RequestTls | None) -> dict[str, Any]:
    """Return the fields of `Provider` that configure TLS."""
    if tls is None:
        return {}
    return {
        "ca": tls.ca,
        "certificate": tls.cert,
        "key": tls.key.get_secret_value() if tls.key else None,
        "server_name": tls.server_name,
        "insecure": tls.insecure_skip_verify,
    }


def _with_environment_key(
    block: ProviderBlock,
    built_in: BuiltIn | None,
    origin: Origin | None,
    key_path: str,
    unset: Mapping[str, str],
    environment: Mapping[str, str],
    notes: list[str],
) -> tuple[ProviderBlock, str | None]:
    """Return the block with the environment's key, and the problem where a key is needed and missing."""
    if built_in is None or block.api_key is not None or "apiKey" in unset:
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
        own = {"baseUrl": entry.base_url is not None, "headers": entry.headers, "api": other_api}
        models[entry.id] = Model(
            id=entry.id,
            name=entry.name or entry.id,
            max_tokens=entry.max_tokens,
            context_window=entry.context_window,
            input=entry.input,
            reasoning=entry.reasoning,
            compat=entry.compat.as_value(reasoning=entry.reasoning),
            api=entry.api if entry.api != api and not other_api else None,
            unsupported_setting=next((key for key, is_set in own.items() if is_set), None),
        )
    return tuple(models.values())


def _family(api: str) -> str:
    """OpenAI's two APIs have the same addresses and credentials."""
    return "openai" if api.startswith("openai-") else api


def _further_apis(api: str, origin: Origin | None) -> tuple[str, ...]:
    """Return the other one of OpenAI's two APIs for OpenAI itself, which has both; another server may have one."""
    is_openai = origin is not None and origin.host.endswith(OPENAI_HOSTS) and _family(api) == "openai"
    return tuple(one for one in SUPPORTED_APIS if is_openai and one != api and _family(one) == "openai")
