"""What the current config says about routes: each model name that a client may send, resolved once.

A table is made from one catalog and never changed; a reload makes another. It remembers the names that were resolved,
which is safe because the result depends on the catalog and the name alone. May be used from any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from clawgate.errors import GatewayError
from clawgate.policy.model_routing import ModelRef, ResolvedModel
from clawgate.providers.availability import model_error
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider
from clawgate.routing.request_changes import compat_of, same_dialect_changes
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.same_dialect import SameDialect

_PRINTABLE = "!#$&'()*+,/:;=?@[]~._- "
_LONGEST_VALUE = 1000
_MAX_NAMES = 1000
_LONGEST_NAME = 200


class RouteTarget(msgspec.Struct, frozen=True, eq=False):
    """One model at one provider, with everything about it that is the same for each request."""

    ref: ModelRef
    name: str
    """``provider/model``."""
    provider: Provider
    model: Model | None
    """None where the config does not list it."""
    problem: GatewayError | None
    """The error of requests for this model alone, whose provider is ready."""
    attribution: bytes
    """Header lines that name provider and model."""
    compat: Compat
    """How its server differs from its dialect."""
    same_dialect: SameDialect
    """What is changed in requests of its own dialect."""


class Route(msgspec.Struct, frozen=True, eq=False):
    """What one name resolves to. ``targets`` are tried in this order; fallbacks follow the first."""

    resolved: ResolvedModel
    targets: tuple[RouteTarget, ...]


class RoutingTable:
    """The routes of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._routes: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        """Return the route of ``name``. Raises `ModelNotFound`."""
        route = self._routes.get(name)
        if route is None:
            resolved = self.catalog.resolve(name)
            route = Route(resolved, tuple(self._target(ref) for ref in resolved.chain))
            if len(name) <= _LONGEST_NAME and len(self._routes) < _MAX_NAMES:
                self._routes[name] = route
        return route

    def route_chain(self, chain: Sequence[ModelRef]) -> Route:
        """Return the route to these models, in this order. Raises `ModelNotFound` for one of an unknown provider."""
        first = self.catalog.resolve(str(chain[0]))
        usable = [ref for ref in chain[1:] if ref.provider in self.catalog.providers]
        resolved = ResolvedModel(first.ref, (first.ref, *usable), "the agent's model")
        return Route(resolved, tuple(self._target(ref) for ref in resolved.chain))

    def _target(self, ref: ModelRef) -> RouteTarget:
        provider = self.catalog.providers[ref.provider]
        model = next((model for model in provider.models if model.id == ref.model), None)
        compat = compat_of(provider, model)
        return RouteTarget(
            ref=ref,
            name=str(ref),
            provider=provider,
            model=model,
            problem=model_error(provider, ref.model),
            attribution=attribution_headers(ref),
            compat=compat,
            same_dialect=same_dialect_changes(provider, compat),
        )


def attribution_headers(ref: ModelRef, failed: tuple[str, ...] = ()) -> bytes:
    """Return the header lines that name provider and model, and with ``failed`` the attempts before."""
    lines = {"x-clawgate-provider": ref.provider, "x-clawgate-model": ref.model}
    if failed:
        lines["x-clawgate-attempts"] = "; ".join((*failed, str(ref)))
    return b"".join(_line(name, value) for name, value in lines.items())


def model_header(model: str) -> bytes:
    """Return the header line that names the model."""
    return _line("x-clawgate-model", model)


def ignored_header(fields: tuple[str, ...]) -> bytes:
    """Return the header line that names the fields of a request which had no effect."""
    return _line("x-clawgate-ignored", ", ".join(fields)) if fields else b""


def _line(name: str, value: str) -> bytes:
    return f"{name}: {quote(value, safe=_PRINTABLE)[:_LONGEST_VALUE]}\r\n".encode("ascii")
