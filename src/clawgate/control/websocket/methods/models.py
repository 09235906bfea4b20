"""Methods that list models and agents."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from clawgate.control.api import list_models
from clawgate.control.websocket.method import Call
from clawgate.control.websocket.params import Params
from clawgate.control.websocket.transcript import MAIN_SESSION
from clawgate.errors import InvalidRequest, ProviderNotConfigured, UpstreamUnauthorized
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import Availability

_REASONS = {ProviderNotConfigured: "missing-auth", UpstreamUnauthorized: "auth-failed"}
"""Why a model is not available, as far as the contract has words for it."""


class ModelsList(Params, frozen=True):
    """All views are the same here: there is no catalog beside the config and the providers' own lists."""

    view: Literal["default", "configured", "provider-config", "all"] = "default"
    refresh: bool = False
    prepared_only: bool = False


async def models_list(call: Call, params: ModelsList) -> object:
    if params.refresh and params.prepared_only:
        raise InvalidRequest("invalid models.list params: preparedOnly and refresh exclude each other")
    router = call.gateway.router.models
    catalog = router.catalog
    unlisted = [provider for provider in catalog.providers.values() if not provider.models]
    found = await asyncio.gather(*(call.gateway.models.models_of(provider) for provider in unlisted))
    discovered = {provider.id: ids for provider, ids in zip(unlisted, found, strict=True)}
    availability = Availability(catalog, router.expected_error)
    aliases = {ref: alias for alias, ref in catalog.aliases.items()}
    listed = [
        ModelRef(one.provider.id, one.full_name.removeprefix(f"{one.provider.id}/"))
        for one in list_models(catalog, discovered).values()
        if one.name == one.full_name
    ]
    return {"models": [_choice(ref, availability, aliases.get(ref)) for ref in listed]}


def _choice(ref: ModelRef, availability: Availability, alias: str | None) -> dict[str, Any]:
    """Return a model as the contract's ModelChoice."""
    catalog = availability.catalog
    known = next((one for one in catalog.providers[ref.provider].models if one.id == ref.model), None)
    error = availability.model_error(ref)
    choice: dict[str, Any] = {
        "id": ref.model,
        "name": known.name if known is not None else ref.model,
        "provider": ref.provider,
        "available": error is None,
    }
    if reason := _REASONS.get(type(error)):
        choice["unavailableReason"] = reason
    if alias is not None:
        choice["alias"] = alias
    if ref == catalog.primary:
        choice["tags"] = ["default"]
    if known is not None:
        choice |= {"reasoning": known.reasoning, "input": list(known.input)}
        if known.context_window:
            choice["contextWindow"] = known.context_window
    return choice


async def agents_list(call: Call, _params: object) -> object:
    agents = call.agents.agents
    rows = []
    for spec in agents.specs.values():
        row: dict[str, Any] = {"id": spec.id, "name": spec.name}
        if spec.chain:
            row["model"] = {"primary": str(spec.chain[0]), "fallbacks": [str(ref) for ref in spec.chain[1:]]}
        rows.append(row)
    return {"defaultId": agents.default, "mainKey": MAIN_SESSION, "scope": "per-sender", "agents": rows}
