"""Chooses the provider of a request by the model that its body names, and the next one after a failure.

Law: a request goes to the provider that was named and to no other, unless it is for the configured default and the
operator configured fallbacks. One that needs what its provider keeps (a stored response) has none: another provider
would respond as if there had been nothing. How a request to one of them is made is `routing.attempt`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from clawgate import errors
from clawgate.policy.fallback import should_fall_back
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import not_configured, provider_error, unreachable, with_earlier
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.upstream.upstream import Upstream
from clawgate.routing.attempt import ModelRequest, ProviderAttempt
from clawgate.routing.plugin_hooks import ProviderHooks
from clawgate.routing.provider_upstream import ProviderUpstream
from clawgate.routing.request_changes import dialects_of, is_bound, spoken_upstream
from clawgate.routing.table import Route, RouteTarget, RoutingTable
from clawgate.wire.json.model_field import ModelField, find_model

logger = logging.getLogger("clawgate.gateway")


UpstreamFactory = Callable[[Provider], Upstream]
"""Makes the connections of one provider. Raises ValueError or OSError with what is wrong with its settings."""


class ModelRouter:
    """The gateway's `Router`; `use` gives it the providers, again and again as the config changes.

    ``clock`` returns UNIX seconds; ``hooks`` are those of the plugins. ``on_refused`` is called with the provider of a
    request that is not sent to it.
    """

    def __init__(
        self,
        make_upstream: UpstreamFactory,
        clock: Callable[[], float],
        hooks: ProviderHooks,
        on_refused: Callable[[Provider], None] = lambda provider: None,
    ) -> None:
        self.on_refused = on_refused
        self.hooks = hooks
        self.clock = clock
        self._make_upstream = make_upstream
        self._table = RoutingTable(Catalog({}, {}, None, ()))
        self._providers: dict[str, ProviderUpstream] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._retired: list[Upstream] = []  # of earlier configs, with requests that were running then

    @property
    def catalog(self) -> Catalog:
        return self._table.catalog

    @property
    def upstreams(self) -> Collection[Upstream]:
        """A view of the upstreams in use: it follows every change."""
        return self._upstreams.values()

    def use(self, catalog: Catalog) -> None:
        """Route with ``catalog`` from now on.

        Requests under way finish as they began; connections of providers that did not change are kept.
        """
        self._table = RoutingTable(catalog)
        for name, known in list(self._providers.items()):
            provider = catalog.providers.get(name)
            if provider is not None and provider == known.provider:
                known.provider = provider  # so that it is found by identity, see `connect`
            else:
                del self._providers[name]
                self._retire(self._upstreams.pop(name))

    def connect(self, provider: Provider) -> ProviderUpstream:
        """Return the connections of ``provider``. Raises `ProviderNotConfigured`, `EgressDenied`."""
        known = self._providers.get(provider.id)
        if known is not None and (known.provider is provider or known.provider == provider):
            return known
        if (error := provider_error(provider)) is not None:
            raise error
        try:
            return self._keep(ProviderUpstream(provider, self._make_upstream(provider)))
        except (ValueError, OSError) as unusable:
            raise not_configured(provider, str(unusable)) from unusable

    def provider_error(self, provider: Provider) -> errors.GatewayError | None:
        """Return the error of every request to ``provider`` now, None if requests are sent."""
        try:
            self.open(provider, None)
        except errors.GatewayError as error:
            return error
        return None

    def expected_error(self, provider: Provider) -> errors.GatewayError | None:
        """Return the same, or the error that the next request can be expected to get."""
        return self.provider_error(provider) or self.connect(provider).failure

    async def recheck(self) -> None:
        """Dial the upstreams of which `expected_error` may be out of date. Takes a second at most."""
        ready = [one for one in self.catalog.providers.values() if self.provider_error(one) is None]
        await asyncio.gather(*(self.connect(provider).recheck() for provider in ready))

    def open(self, provider: Provider, problem: errors.GatewayError | None) -> ProviderUpstream:
        """Return the connections for a request; ``problem`` is its model's. Raises where nothing may be sent."""
        if (error := self.hooks.unavailable(provider.id) or problem) is not None:
            raise error.with_message(error.message)  # a copy: it may be shared
        return self.connect(provider)

    def _keep(self, made: ProviderUpstream) -> ProviderUpstream:
        """Keep it for further requests, unless the config has changed meanwhile: then it serves this one alone."""
        name = made.provider.id
        if self.catalog.providers.get(name) == made.provider:
            self._providers[name] = made
            self._upstreams[name] = made.upstream
        else:
            self._retire(made.upstream)
        return made

    def _retire(self, upstream: Upstream) -> None:
        upstream.pool.retire()
        self._retired = [*(one for one in self._retired if one.pool.busy_count), upstream]

    def running_requests(self, provider: str) -> int:
        """Return how many connections serve requests to ``provider``, those of an earlier config included."""
        name = provider.encode("ascii", "replace")
        upstreams = (*self._upstreams.values(), *self._retired)
        return sum(one.pool.busy_count for one in upstreams if one.name == name)

    def route(self, head: AdmittedHead, body: bytes) -> FallbackChain:
        """Raises `InvalidRequest` for a body that cannot be read, `ModelNotFound`. Touches nothing of the loop's."""
        return self.plan(head, body, find_model(body))

    def plan(
        self, head: AdmittedHead, body: bytes, field: ModelField, name: str | None = None
    ) -> FallbackChain:
        """Do the same for a body whose model was found, or with ``name`` in its place. Raises `ModelNotFound`."""
        return FallbackChain(
            self, self._table.route(name or field.name or ""), ModelRequest(head, body, field)
        )

    def route_chain(self, chain: Sequence[ModelRef], head: AdmittedHead, body: bytes) -> FallbackChain:
        """Return the plan of a request for the first model of ``chain``, then the others, by the operator's config.

        Raises `ModelNotFound`.
        """
        return FallbackChain(self, self._table.route_chain(chain), ModelRequest(head, body, find_model(body)))


class FallbackChain:
    """The attempts of one request: mostly one, with fallbacks several. Implements `RoutePlan`."""

    __slots__ = ("_attempt", "_current", "_failed", "_next", "_request", "_router", "_targets", "model")

    def __init__(self, router: ModelRouter, route: Route, request: ModelRequest) -> None:
        self._router = router
        self._targets = route.targets
        self._request = request
        self._next = 0
        self._current: RouteTarget | None = None
        self._attempt: ProviderAttempt | None = None
        self._failed: list[str] = []
        self.model = request.field.name or route.targets[0].name
        if len(self._targets) > 1 and is_bound(request.head.path, request.field, request.body):
            # what such a request continues is here already where it is translated
            self._targets = self._targets if self.is_translated else self._targets[:1]

    @property
    def is_translated(self) -> bool:
        """Whether the first provider speaks another dialect than the client."""
        target, path = self._targets[0], self._request.head.path
        apis = target.provider.apis_of(target.model, self._router.hooks.further_apis(target.provider.id))
        return spoken_upstream(path, apis) not in dialects_of(path)

    def first_attempt(self) -> ProviderAttempt:
        """Raises the error of the last provider where none of the chain can be used, `InvalidRequest`."""
        router = self._router
        while True:
            target = self._targets[self._next]
            self._next += 1
            try:
                connected = router.open(target.provider, target.problem)
            except errors.GatewayError as error:
                router.on_refused(target.provider)
                reason = should_fall_back(None, error)
                if reason is None or self._next == len(self._targets):
                    self._current = self._current or target
                    raise
                self._note(target, error.message, reason)
                continue
            attempt = ProviderAttempt(
                connected,
                target,
                self._request,
                tuple(self._failed),
                router.clock(),
                router.hooks,
                has_fallback=self._next < len(self._targets),
            )
            self._current, self._attempt = target, attempt
            return attempt

    def next_attempt(
        self, *, status: int | None = None, error: errors.GatewayError | None = None
    ) -> ProviderAttempt | None:
        """Return the next attempt, if the operator configured one and this kind of failure allows it.

        Tokens that the provider cannot count are estimated by the same attempt.
        """
        attempt = self._attempt
        if error is not None and attempt is not None:
            attempt.on_error(error)
        if attempt is not None and attempt.counts_instead(status):
            return attempt
        if self._next == len(self._targets) or (reason := should_fall_back(status, error)) is None:
            return None
        self._note(self._targets[self._next - 1], error.log_text if error is not None else reason, reason)
        try:
            return self.first_attempt()
        except errors.GatewayError as failure:
            logger.warning("%s", failure.log_text)
            return None

    def discard_body(self) -> None:
        """No further attempt is made: the request's body is not needed any more."""
        request = self._request
        self._request = ModelRequest(request.head, b"", request.field)
        self._next = len(self._targets)

    def map_error(self, error: errors.GatewayError) -> errors.GatewayError:
        """Return ``error`` for the client: with the provider's name, and the attempts before."""
        target = self._current or self._targets[0]
        others = [failure for failure in self._failed if not failure.startswith(f"{target.name} ")]
        if isinstance(error, errors.UpstreamUnreachable):
            error = unreachable(target.provider, error)
        return with_earlier(error, others)

    def _note(self, target: RouteTarget, detail: str, reason: str) -> None:
        self._failed.append(f"{target.name} {reason}")
        following = self._targets[self._next].name if self._next < len(self._targets) else None
        logger.warning("%s failed: %s; the next fallback is %s", target.name, detail, following)
