"""Tests the connection to a provider that is not in the config yet: one GET for its models, as requests are sent.

A list that is not where the base URL says is looked for at the usual places of the same server. What went wrong is
`connection_failure`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from clawgate.app.provider_probe import ProviderProbeResult, probe_with_response
from clawgate.cli.auth.wizard.connection_failure import explain
from clawgate.plugins.api.provider import CheckResult
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.providers.catalog import build_catalog
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.fetch import FetchResponse
from clawgate.settings.key_path import format_key_path
from clawgate.settings.problems import format_message
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.model_list import model_ids

_UNAUTHORIZED = 401


def provider_of(name: str, block: Mapping[str, object], environment: Mapping[str, str]) -> Provider:
    """Return the provider that ``block`` makes as ``models.providers.<name>``. Raises ValueError with the problem."""
    path = ("models", "providers", name)
    resolved, missing = resolve_references(dict(block), environment, path)
    for one in missing:
        raise ValueError(f"{format_key_path(one.path)}: {one}")
    try:
        config = OpenClawConfig.model_validate(
            {"models": {"providers": {name: resolved}}}, by_alias=True, by_name=False
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{format_key_path(first['loc'])}: {format_message(first)}") from None
    return build_catalog(config, {}, environment).providers[name]


async def try_block(
    name: str,
    block: Mapping[str, object],
    environment: Mapping[str, str],
    network: NetworkRules = NO_RULES,
) -> CheckResult:
    """Return whether the provider responds and accepts the credential, and the models that it lists."""
    try:
        provider = replace(provider_of(name, block, environment), network=network)
    except ValueError as error:
        return CheckResult(ok=False, message=str(error))
    if provider.problem is not None:
        return CheckResult(ok=False, message=provider.problem)
    dialer = Dialer()
    probe, response = await probe_with_response(provider, dialer)
    if (found := _result(provider, probe, response)) is not None:
        return await _rejection(provider, dialer) or found
    if response is not None and (probe.state in ("reachable", "not_found") or 300 <= response.status < 400):
        for path in _other_paths(provider.path):
            other = replace(provider, path=path)
            found = _result(other, *await probe_with_response(other, dialer))
            if found is not None:
                if (rejection := await _rejection(other, dialer)) is not None:
                    return rejection
                message = f"{provider.base_url} has no list of models; {found.message}"
                return replace(found, message=message, corrected={"base_url": other.base_url})
    return explain(provider, probe, response)


async def _rejection(provider: Provider, dialer: Dialer) -> CheckResult | None:
    """Return the failure of a server that lists its models for everyone, as llama.cpp does, and rejects the credential.

    A GET of the path of requests starts no work: it is 401 before it is the wrong method.
    """
    if provider.api != "openai-completions":
        return None
    probe, response = await probe_with_response(provider, dialer, b"/v1/chat/completions")
    is_rejected = response is not None and response.status == _UNAUTHORIZED
    return explain(provider, probe, response) if is_rejected else None


def _result(
    provider: Provider, probe: ProviderProbeResult, response: FetchResponse | None
) -> CheckResult | None:
    """Return the result where the server lists its models; None where it does not."""
    models = listed_models(response.body) if probe.state == "reachable" and response is not None else None
    if models is None:
        return None
    took = f" in {probe.latency_ms:g} ms" if probe.latency_ms is not None else ""
    count = f"{len(models)} models" if len(models) != 1 else "1 model"
    return CheckResult(
        ok=True, message=f"{provider.base_url} responds{took}; {count} listed", models=tuple(models)
    )


def _other_paths(path: str) -> Iterator[str]:
    """Yield where else the API of the same server may be."""
    if not path.endswith("/v1"):
        yield f"{path}/v1"
    if path != "/v1":
        yield "/v1"


def listed_models(body: bytes) -> list[str] | None:
    """Return the models of a list that can be written as a comma list; None if the body is no list of models.

    Empty for a list that is longer than the part that was read.
    """
    try:
        models = model_ids(body)
    except ValueError:
        return [] if b'"data"' in body else None
    return None if models is None else [one for one in models if "," not in one]
