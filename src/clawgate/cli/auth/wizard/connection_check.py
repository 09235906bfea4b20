"""Does a provider answer that is not in the config yet? One GET for its models, by the way that requests take."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import ValidationError

from clawgate.app.provider_probe import look
from clawgate.plugins.api.provider import CheckResult
from clawgate.providers.catalog import build_catalog
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.schema import OpenClawConfig
from clawgate.settings.problems import worded
from clawgate.settings.references import resolve_references

_NEXT_STEPS = {
    "unauthorized": "look at the secret, and at the kind of credential",
    "not_found": "look at the base URL: most end in /v1",
    "blocked": "allow a private address for this provider if it is meant",
    "unreachable": "look at the base URL, and whether the server runs",
    "timed out": "look at the base URL, and whether the server runs",
}
_MOST_MODELS = 2000


def provider_of(name: str, block: Mapping[str, object], environment: Mapping[str, str]) -> Provider:
    """What ``block`` would make as ``models.providers.<name>``. Raises ValueError with what is wrong with it."""
    where = ("models", "providers", name)
    read, missing = resolve_references(dict(block), environment, where)
    for one in missing:
        raise ValueError(f"{format_key_path(one.path)}: {one}")
    try:
        config = OpenClawConfig.model_validate(
            {"models": {"providers": {name: read}}}, by_alias=True, by_name=False
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{format_key_path(first['loc'])}: {worded(first)}") from None
    return build_catalog(config, {}, environment).providers[name]


async def try_block(
    name: str, block: Mapping[str, object], environment: Mapping[str, str], dialer: Dialer | None = None
) -> CheckResult:
    """Whether it answers and takes the credential; its models, where it lists them."""
    try:
        provider = provider_of(name, block, environment)
    except ValueError as error:
        return CheckResult(ok=False, message=str(error))
    if provider.why_not_ready is not None:
        return CheckResult(ok=False, message=provider.why_not_ready)
    seen, body = await look(provider, dialer or Dialer())
    if seen.state != "reachable":
        return CheckResult(
            ok=False,
            message=f"{provider.base_url}: {seen.state}: {seen.message}",
            next_step=_NEXT_STEPS.get(seen.state, ""),
        )
    models = listed_models(body)
    if models is None:
        return CheckResult(
            ok=False,
            message=f"{provider.base_url} answers, but with no list of models",
            next_step=_NEXT_STEPS["not_found"],
        )
    took = f" in {seen.latency_ms:g} ms" if seen.latency_ms is not None else ""
    count = f"{len(models)} models" if len(models) != 1 else "1 model"
    return CheckResult(
        ok=True, message=f"{provider.base_url} answers{took}; {count} listed", models=tuple(models)
    )


def listed_models(body: bytes) -> list[str] | None:
    """Ids of OpenAI's and Anthropic's list of models (``data[].id``), None where the body is none.

    A list longer than what was read of it has no ids here: the body is cut.
    """
    if body.lstrip()[:1] != b"{":
        return None
    try:
        data = json.loads(body)["data"]
    except KeyError:
        return None
    except (ValueError, RecursionError):
        return [] if b'"data"' in body else None
    if not isinstance(data, list):
        return None
    ids = [entry.get("id") for entry in data if isinstance(entry, dict)]
    good = [one for one in ids if isinstance(one, str) and one and one.isprintable() and "," not in one]
    return list(dict.fromkeys(one for one in good if one == one.strip() and len(one) <= 200))[:_MOST_MODELS]
