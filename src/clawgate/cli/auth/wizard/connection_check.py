"""Tests the connection to a provider that is not in the config yet: one GET for its models, as requests are sent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from clawgate.app.provider_probe import probe_with_body
from clawgate.plugins.api.provider import CheckResult
from clawgate.providers.catalog import build_catalog
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.key_path import format_key_path
from clawgate.settings.problems import format_message
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.model_list import model_ids

_NEXT_STEPS = {
    "unauthorized": "check the secret and the kind of credential",
    "not_found": "check the base URL; most end in /v1",
    "blocked": "if the server is yours, allow a private address for this provider",
    "unreachable": "check the base URL, and that the server is running",
    "timed out": "check the base URL, and that the server is running",
}


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


async def try_block(name: str, block: Mapping[str, object], environment: Mapping[str, str]) -> CheckResult:
    """Return whether the provider responds and accepts the credential, and the models that it lists."""
    try:
        provider = provider_of(name, block, environment)
    except ValueError as error:
        return CheckResult(ok=False, message=str(error))
    if provider.problem is not None:
        return CheckResult(ok=False, message=provider.problem)
    probe, body = await probe_with_body(provider, Dialer())
    if probe.state != "reachable":
        return CheckResult(
            ok=False,
            message=f"{provider.base_url}: {probe.state}: {probe.message}",
            next_step=_NEXT_STEPS.get(probe.state, ""),
        )
    models = listed_models(body)
    if models is None:
        return CheckResult(
            ok=False,
            message=f"{provider.base_url} responds, but not with a list of models",
            next_step=_NEXT_STEPS["not_found"],
        )
    took = f" in {probe.latency_ms:g} ms" if probe.latency_ms is not None else ""
    count = f"{len(models)} models" if len(models) != 1 else "1 model"
    return CheckResult(
        ok=True, message=f"{provider.base_url} responds{took}; {count} listed", models=tuple(models)
    )


def listed_models(body: bytes) -> list[str] | None:
    """Return the models of a list that can be written as a comma list; None if the body is no list of models.

    Empty for a list that is longer than the part that was read.
    """
    try:
        models = model_ids(body)
    except ValueError:
        return [] if b'"data"' in body else None
    return None if models is None else [one for one in models if "," not in one]
