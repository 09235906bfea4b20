"""Serves the gateway's control API: liveness and readiness for everyone, the list of models for callers.

Responds in OpenAI's or in Anthropic's dialect; clients of Anthropic's API send `anthropic-version`. Must not contact a
provider: the catalog is read, and the models that were discovered. Only for a command of this user it opens
connections, and sends nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawgate import __version__
from clawgate.control.capabilities import capabilities
from clawgate.control.egress import EGRESS_PATHS, EgressReport, EgressRoutes
from clawgate.errors import GatewayError, InvalidToken, ModelNotFound
from clawgate.policy.authentication import TokenStore
from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.model_routing import DEFAULT_AGENT, names_agent, shown_name
from clawgate.processes.instance.health_client import KEY_HEADER
from clawgate.providers.availability import Availability, encode, encode_error
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.relay.response.error_response import status_of
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.routing.plugin_hooks import LAST_LINES
from clawgate.routing.router import ModelRouter
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.openai import errors as openai_errors

CONTROL_PATHS = frozenset({b"/health", b"/healthz", b"/ready", b"/readyz"}) | EGRESS_PATHS
OWN_PATHS = (b"/v1/capabilities", b"/v1/models", b"/v1/models/")
_NOT_STORED = {"cache-control": "no-store"}


class ModelSource(Protocol):
    """The models that a provider lists itself, where the config lists none of it."""

    async def models_of(self, provider: Provider) -> Sequence[str]:
        """Return their ids, none for a provider whose models are not known. Never raises."""


class ListedModel(msgspec.Struct, frozen=True):
    """A value of ``model`` that requests may have: an id or an alias, with the model's full name and its provider."""

    name: str
    full_name: str
    provider: Provider


async def serving_report(router: ModelRouter) -> dict[str, object]:
    """Return why requests would fail, of each provider and of the default model, after a look at what is in doubt."""
    await router.recheck()
    availability = Availability(router.catalog, router.expected_error)
    error = availability.serving_error()
    return {
        "providers": encode(availability),
        "failing": list(availability.failing()),
        "serving": error and {**encode_error(error), "status": status_of(error)},
    }


class ControlApi:
    """The handlers of one gateway. ``instance`` identifies this process to `clawgate gateway health`.

    ``key`` is what commands of this user present to learn the state of each provider, and what ``egress`` knows; "" if
    there are none.
    """

    def __init__(
        self,
        router: GatewayRouter,
        instance: str,
        draining: Callable[[], bool],
        body_limit: int = 0,
        *,
        source: ModelSource,
        key: str = "",
        egress: EgressReport | None = None,
    ) -> None:
        self._egress = egress
        self._router = router.models
        self._gateway = router
        self._source = source
        self._instance = instance
        self._body_limit = body_limit
        self._keys = TokenStore.of({"command": key} if key else {})
        self._draining = draining
        self._started_at = time.monotonic()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                *(Route(path, self.health) for path in ("/health", "/healthz")),
                *(Route(path, self.ready) for path in ("/ready", "/readyz")),
                Route("/v1/capabilities", self.capabilities),
                Route("/v1/models", self.models),
                Route("/api/tags", self.ollama_tags),
                Route("/api/version", self.ollama_version),
                Route("/v1/models/{name:path}", self.model),
                *(EgressRoutes(self._egress, self._has_key).routes() if self._egress is not None else ()),
            ]
        )

    async def health(self, request: Request) -> JSONResponse:
        body: dict[str, object] = {
            "ok": True, "status": "live", "version": __version__, "role": "gateway", "instance": self._instance,
        }  # fmt: skip
        if self._has_key(request):
            body |= await serving_report(self._router)
        return JSONResponse(body, headers=_NOT_STORED)

    async def ready(self, request: Request) -> JSONResponse:
        # What the last request got is no reason to send none: the next one may show that it works again.
        error = Availability(self._router.catalog, self._router.provider_error).serving_error()
        failing = ["gateway-draining"] if self._draining() else []
        uptime = round((time.monotonic() - self._started_at) * 1000)
        body: dict[str, object] = {
            "ready": not failing and error is None,
            "failing": failing,
            "uptimeMs": uptime,
        }
        if error is not None:
            failing.append("models")
            body["code"] = error.code
            if (
                self._has_key(request)
                or request.scope["state"].get("caller") is not None
                or _is_local(request)
            ):
                body["reason"] = error.message.partition(LAST_LINES)[0]
        return JSONResponse(body, status_code=503 if failing else 200, headers=_NOT_STORED)

    def _has_key(self, request: Request) -> bool:
        try:
            self._keys.authenticate(request.headers.get(KEY_HEADER, "").encode())
        except InvalidToken:
            return False
        return True

    async def models(self, request: Request) -> JSONResponse:
        models = await self._listed()
        if not _is_anthropic(request):
            return _respond({"object": "list", "data": self._with_agents(models)})
        data = [_to_anthropic(model) for model in models]
        ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return _respond({"data": data, "has_more": False, "first_id": ends[0], "last_id": ends[1]})

    async def _listed(self) -> Collection[ListedModel]:
        if not self._gateway.serves_models:
            return ()
        catalog = self._router.catalog
        return list_models(catalog, await self._discovered(catalog.providers.values())).values()

    def _with_agents(self, models: Iterable[ListedModel]) -> list[dict[str, object]]:
        return [*agent_entries(self._gateway.agent_ids), *map(_to_openai, models)]

    async def ollama_tags(self, request: Request) -> JSONResponse:
        entries = self._with_agents(await self._listed())
        return _respond({"models": [_to_ollama(entry) for entry in entries]})

    async def ollama_version(self, request: Request) -> JSONResponse:
        return _respond({"version": __version__})

    async def capabilities(self, request: Request) -> JSONResponse:
        gateway = self._gateway
        return _respond(
            capabilities(
                gateway.agent_paths,
                serves_models=gateway.serves_models,
                body_limit=self._body_limit,
                caller=request.scope["state"].get("caller"),
            )
        )

    async def model(self, request: Request) -> JSONResponse:
        name = request.path_params["name"]
        try:
            if names_agent(name):
                return _respond(self._find_agent(name))
            model = await self._find(name)
        except GatewayError as error:
            return _error_response(error, anthropic=_is_anthropic(request))
        return _respond(_to_anthropic(model) if _is_anthropic(request) else _to_openai(model))

    async def _discovered(self, providers: Iterable[Provider]) -> dict[str, Sequence[str]]:
        providers = [provider for provider in providers if not provider.models]
        found = await asyncio.gather(*(self._source.models_of(provider) for provider in providers))
        return {provider.id: ids for provider, ids in zip(providers, found, strict=True)}

    def _find_agent(self, name: str) -> dict[str, object]:
        """Raises `ModelNotFound`."""
        self._gateway.require_agents(name)
        listed = agent_entries(self._gateway.agent_ids)
        found = next((entry for entry in listed if entry["id"] == name.lower()), None)
        if found is None:
            raise ModelNotFound(
                f"Model '{shown_name(name)}' not found. Agents: {', '.join(self._gateway.agent_ids)}"
            )
        return found

    async def _find(self, name: str) -> ListedModel:
        """Raises `ModelNotFound` for a model that neither the config nor its provider lists."""
        self._gateway.require_models("Invalid model id.")
        catalog = self._router.catalog
        listed = list_models(catalog).get(name)
        if listed is not None:
            return listed
        if not name:
            raise ModelNotFound("missing model name; GET /v1/models lists all models")
        ref = catalog.resolve(name).ref
        provider = catalog.providers[ref.provider]
        ids = [model.id for model in provider.models] or await self._source.models_of(provider)
        if ref.model not in ids:
            raise ModelNotFound(f"the model '{ref}' is not listed; requests for it are forwarded")
        return ListedModel(name, str(ref), provider)


def list_models(
    catalog: Catalog, discovered: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Mapping[str, ListedModel]:
    """Return every listed model, then every alias, by name; without those for which requests would be rejected.

    ``discovered``: the ids that a provider lists itself, for providers without models in the config.
    """
    models: dict[str, ListedModel] = {}
    for provider in catalog.providers.values():
        ids = [model.id for model in provider.models] or discovered.get(provider.id, ())
        for model in ids:
            if provider.model_problem(model) is None:
                name = f"{provider.id}/{model}"
                models[name] = ListedModel(name, name, provider)
    for alias, ref in catalog.aliases.items():
        known = catalog.providers.get(ref.provider)
        if known is not None and known.model_problem(ref.model) is None:
            models.setdefault(alias, ListedModel(alias, str(ref), known))
    return models


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine, and not through a reverse proxy on it."""
    client = request.client
    is_forwarded = any(
        name.startswith(("x-forwarded", "forwarded", "via", "cf-")) for name in request.headers
    )
    return client is not None and is_loopback(client.host) and not is_forwarded


def _is_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.headers


def _respond(body: dict[str, object]) -> JSONResponse:
    return JSONResponse(body, headers=_NOT_STORED)


def agent_entries(ids: Sequence[str]) -> list[dict[str, object]]:
    """Return the agents as OpenClaw lists them (2026.9.6, recorded); none without ids."""
    names = (
        [DEFAULT_AGENT, f"{DEFAULT_AGENT}/default", *(f"{DEFAULT_AGENT}/{name}" for name in ids)]
        if ids
        else []
    )
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": DEFAULT_AGENT, "permission": []}
        for name in dict.fromkeys(names)
    ]


def _to_openai(model: ListedModel) -> dict[str, object]:
    """OpenAI's API reference, "Models"; ``created`` is not known."""
    return {"id": model.name, "object": "model", "created": 0, "owned_by": model.provider.id}


def _to_ollama(entry: dict[str, object]) -> dict[str, object]:
    """Ollama's API reference, "List Local Models"; what is not known is empty."""
    details = {
        "parent_model": "", "format": "", "family": entry["owned_by"], "families": [entry["owned_by"]],
        "parameter_size": "", "quantization_level": "",
    }  # fmt: skip
    return {
        "name": entry["id"], "model": entry["id"], "modified_at": "1970-01-01T00:00:00Z", "size": 0, "digest": "",
        "details": details,
    }  # fmt: skip


def _to_anthropic(model: ListedModel) -> dict[str, object]:
    """Anthropic's API reference, "Models"; the epoch is used where the date is not known, as the reference says."""
    return {
        "type": "model", "id": model.name, "display_name": model.full_name, "created_at": "1970-01-01T00:00:00Z",
    }  # fmt: skip


def _error_response(error: GatewayError, *, anthropic: bool) -> JSONResponse:
    render = anthropic_errors.error_body if anthropic else openai_errors.error_body
    body = render(message=error.message, kind="invalid_request_error", code=error.code, param=error.param)
    return JSONResponse(msgspec.json.decode(body), status_code=status_of(error), headers=_NOT_STORED)
