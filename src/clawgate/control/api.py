"""What does the gateway say of itself? Liveness for everybody, the list of models for callers.

Answers for OpenAI's clients and for Anthropic's, told apart by the header that every client of Anthropic's sends. Knows
the catalog alone: nothing is asked of a provider.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawgate import __version__
from clawgate.errors import GatewayError, ModelNotFound
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.relay.response.error_response import status_of
from clawgate.routing.router import ModelRouter
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.openai import errors as openai_errors

CONTROL_PATHS = frozenset({b"/health", b"/healthz", b"/ready", b"/readyz"})
OWN_PATHS = (b"/v1/models", b"/v1/models/")
_NOT_STORED = {"cache-control": "no-store"}


def build_surface(direct: ModelRouter, *, instance: str, draining: Callable[[], bool]) -> Starlette:
    """The control plane of the gateway. ``instance`` tells who asks `/health` that it is this very process."""
    begun = time.monotonic()

    async def health(request: Request) -> JSONResponse:
        said: dict[str, object] = {"ok": True, "status": "live", "version": __version__}
        said |= {"role": "gateway", "instance": instance}
        return JSONResponse(said, headers=_NOT_STORED)

    async def ready(request: Request) -> JSONResponse:
        failing = ["gateway-draining"] if draining() else []
        said = {
            "ready": not failing,
            "failing": failing,
            "uptimeMs": round((time.monotonic() - begun) * 1000),
        }
        return JSONResponse(said, status_code=503 if failing else 200, headers=_NOT_STORED)

    async def models(request: Request) -> JSONResponse:
        found = listed_models(direct.catalog)
        if "anthropic-version" in request.headers:
            data = [_for_anthropic(name, model) for name, model in found.items()]
            ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
            return JSONResponse({"data": data, "has_more": False, "first_id": None, "last_id": None} | ends)
        return JSONResponse(
            {"object": "list", "data": [_for_openai(name, model) for name, model in found.items()]}
        )

    async def model(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        anthropic = "anthropic-version" in request.headers
        found = listed_models(direct.catalog).get(name)
        if found is None:
            try:
                if not name:
                    raise ModelNotFound("no model is named; all of them are at /v1/models")
                ref = direct.resolve(name).ref
                found = str(ref), direct.catalog.providers[ref.provider]
            except GatewayError as error:
                return _refusal(error, anthropic=anthropic)
            if all(ref.model != known.id for known in found[1].models):
                return _refusal(
                    ModelNotFound(
                        f"the model '{ref}' is not listed in the config; requests for it are sent on all the same"
                    ),
                    anthropic=anthropic,
                )
        return JSONResponse(_for_anthropic(name, found) if anthropic else _for_openai(name, found))

    return Starlette(
        routes=[
            *(Route(path, health) for path in ("/health", "/healthz")),
            *(Route(path, ready) for path in ("/ready", "/readyz")),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
        ]
    )


def listed_models(catalog: Catalog) -> Mapping[str, tuple[str, Provider]]:
    """From what may stand in ``model`` to the model in full and its provider: every listed model, then every alias.

    What would be refused is left out.
    """
    found: dict[str, tuple[str, Provider]] = {}
    for provider in catalog.providers.values():
        for model in provider.models:
            if provider.model_problem(model.id) is None:
                found[f"{provider.id}/{model.id}"] = f"{provider.id}/{model.id}", provider
    for alias, ref in catalog.aliases.items():
        known = catalog.providers.get(ref.provider)
        if known is not None and known.model_problem(ref.model) is None:
            found.setdefault(alias, (str(ref), known))
    return found


def _for_openai(name: str, found: tuple[str, Provider]) -> dict[str, object]:
    """OpenAI's API reference, "Models"; ``created`` is not known here."""
    return {"id": name, "object": "model", "created": 0, "owned_by": found[1].id}


def _for_anthropic(name: str, found: tuple[str, Provider]) -> dict[str, object]:
    """Anthropic's API reference, "Models"; the epoch stands for a date that is not known, as it says there."""
    return {"type": "model", "id": name, "display_name": found[0], "created_at": "1970-01-01T00:00:00Z"}


def _refusal(error: GatewayError, *, anthropic: bool) -> JSONResponse:
    render = anthropic_errors.error_body if anthropic else openai_errors.error_body
    import msgspec

    body = render(message=error.message, kind="invalid_request_error", code=error.code, param=error.param)
    return JSONResponse(msgspec.json.decode(body), status_code=status_of(error))
