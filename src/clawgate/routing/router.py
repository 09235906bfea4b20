"""Which provider answers this body, and who after it? From ``provider/model`` to one attempt after the other.

A plan asks the provider that was named and nobody else, unless it is the configured default and the operator wrote
fallbacks. How one of them is asked is settled in `routing.attempt`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from clawgate.errors import (
    GatewayError,
    GatewayUnavailable,
    ProviderNotConfigured,
    ProviderUnavailable,
    UpstreamUnreachable,
)
from clawgate.policy.fallback import should_fall_back
from clawgate.policy.model_routing import ModelRef, ResolvedModel, resolve
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.relay.admission.plan import Asked
from clawgate.relay.upstream.upstream import Upstream
from clawgate.routing.attempt import ModelRequest, ProviderAttempt
from clawgate.routing.plugin_hooks import NoHooks, ProviderHooks
from clawgate.wire.json.model_field import find_model

logger = logging.getLogger("clawgate.gateway")


class UpstreamFactory(Protocol):
    """Makes the connections of one provider. Raises ValueError or OSError with what is wrong with its settings."""

    def __call__(self, provider: Provider) -> Upstream: ...


class ModelRouter:
    """The planner of the gateway: `use` gives it the providers, again and again as the config changes.

    ``hooks`` are what plugins have to say about their providers.
    """

    def __init__(
        self, make_upstream: UpstreamFactory, clock: Callable[[], float], hooks: ProviderHooks | None = None
    ) -> None:
        self.hooks = hooks or NoHooks()
        self._make_upstream = make_upstream
        self._clock = clock
        self._providers: dict[str, Provider] = {}
        self._upstreams: dict[str, Upstream] = {}
        self.catalog = Catalog({}, {}, None, ())
        self._listed: Mapping[str, Collection[str]] = {}

    @property
    def upstreams(self) -> Collection[Upstream]:
        """Those that are in use, now and whenever it is looked at again."""
        return self._upstreams.values()

    def use(self, catalog: Catalog) -> None:
        """Plan with ``catalog`` from now on. What is under way goes on as it began; connections of providers that
        did not change are kept."""
        self.catalog = catalog
        self._listed = catalog.listed()
        for name, provider in list(self._providers.items()):
            if catalog.providers.get(name) != provider:
                del self._providers[name]
                self._upstreams.pop(name).pool.retire()

    def upstream_of(self, provider: Provider) -> Upstream:
        """The connections of ``provider``. Raises `ProviderNotConfigured`."""
        known = self._upstreams.get(provider.id)
        if known is not None and self._providers[provider.id] == provider:
            return known
        why = provider.why_not_ready
        if why is None:
            try:
                upstream = self._make_upstream(provider)
            except (ValueError, OSError) as error:
                why = str(error)
            else:
                self._keep(provider, upstream)
                return upstream
        raise ProviderNotConfigured(f"the provider '{provider.id}' is not configured: {why}")

    def _keep(self, provider: Provider, upstream: Upstream) -> None:
        """For further requests, unless the config has gone on: then it serves this one alone."""
        if self.catalog.providers.get(provider.id) == provider:
            self._providers[provider.id] = provider
            self._upstreams[provider.id] = upstream
        else:
            upstream.pool.retire()

    def choose(self, asked: str) -> ResolvedModel:
        """Who is to answer ``asked``. Raises `ModelNotFound`."""
        catalog = self.catalog
        return resolve(
            asked,
            providers=catalog.providers,
            aliases=catalog.aliases,
            primary=catalog.primary,
            fallbacks=catalog.fallbacks,
            listed=self._listed,
        )

    def plan(self, asked: Asked, path: bytes, body: bytes) -> FallbackChain:
        """Raises `InvalidRequest` for a body that cannot be read, `ModelNotFound`."""
        named = find_model(body)
        return FallbackChain(
            self, self.choose(named.name or ""), ModelRequest(asked, path, body, named), self._clock
        )


class FallbackChain:
    """The way of one request along its chain, which mostly has one link."""

    def __init__(
        self, direct: ModelRouter, choice: ResolvedModel, question: ModelRequest, clock: Callable[[], float]
    ) -> None:
        self._direct = direct
        self._catalog = direct.catalog
        self._chain = choice.chain
        self._question = question
        self._clock = clock
        self._next = 0
        self._asked: ModelRef | None = None
        self._failed: list[str] = []
        self.model = question.named.name or str(choice.ref)

    def first(self) -> ProviderAttempt:
        """Raises `GatewayUnavailable` where nobody along the chain can be asked, `InvalidRequest`."""
        while True:
            ref = self._chain[self._next]
            self._next += 1
            provider = self._catalog.providers[ref.provider]
            try:
                if provider.why_not_ready is None and (why := provider.why_not(ref.model)) is not None:
                    raise ProviderNotConfigured(why)
                if (unavailable := self._direct.hooks.unavailable(provider.id)) is not None:
                    raise unavailable
                upstream = self._direct.upstream_of(provider)
            except GatewayUnavailable as error:
                if self._next == len(self._chain):
                    raise
                self._note(ref, error.message, should_fall_back(None, error) or error.code)
                continue
            attempt = ProviderAttempt(
                upstream,
                provider,
                ref,
                self._question,
                tuple(self._failed),
                self._clock(),
                self._direct.hooks,
            )
            self._asked = ref
            return attempt

    def after(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> ProviderAttempt | None:
        """The next link, if the operator wrote one and this kind of failure lets it be tried."""
        if self._next == len(self._chain) or (reason := should_fall_back(status, error)) is None:
            return None
        self._note(self._chain[self._next - 1], error.message if error is not None else reason, reason)
        try:
            return self.first()
        except GatewayError as broken:
            logger.warning("%s", broken.message)
            return None

    def final(self, error: GatewayError) -> GatewayError:
        """``error`` as the client is told of it: with the provider's name, and what else was tried."""
        ref = self._asked or self._chain[0]
        others = [failure for failure in self._failed if not failure.startswith(f"{ref} ")]
        before = f" (also: {', '.join(others)})" if others else ""
        if isinstance(error, UpstreamUnreachable):
            return ProviderUnavailable(
                f"the provider '{ref.provider}' is not available: {error.message} "
                f"(its address: models.providers.{ref.provider}.baseUrl){before}",
                retry_after=error.retry_after,
            )
        return error.with_message(error.message + before) if before else error

    def _note(self, ref: ModelRef, detail: str, reason: str) -> None:
        self._failed.append(f"{ref} {reason}")
        following = self._chain[self._next] if self._next < len(self._chain) else None
        logger.warning("%s failed: %s; the next fallback is %s", ref, detail, following)
