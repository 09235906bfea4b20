"""Discovers the models of providers for which the config lists none: one small GET to each, sent like a request.

A provider is contacted when its models are wanted for the first time, and again in the background when what is known is
old. Law: only a provider that is ready and that no plugin reports as unavailable is contacted, with its own credential
and through the one dialer. A failure leaves the list as it was and is logged once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from clawgate.app.upstreams import version_line
from clawgate.errors import GatewayError
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.fetch import fetch
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.model_list import model_ids

logger = logging.getLogger("clawgate.gateway")

CONNECT_SECONDS = 3.0
RESPONSE_SECONDS = 4.0
FRESH_SECONDS = 600.0
RETRY_SECONDS = 60.0
"""After a failure."""
_BODY_LIMIT = 4 * 1024 * 1024
"""An aggregator's list of 400 models, with their descriptions, has about 1 MB."""
_TARGETS = {
    "anthropic-messages": b"/v1/models?limit=1000"
}  # 20 without a limit (Anthropic's API reference, "Models")


@dataclass(slots=True)
class _Known:
    """What is known of one provider. ``expires_at`` on the clock; ``failed``: the last fetch did."""

    provider: Provider
    models: tuple[str, ...] = ()
    expires_at: float = 0.0
    has_models: bool = False
    failed: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class ModelDiscovery:
    """The discovered models of one gateway, by provider.

    ``connect`` returns the connections of a provider and raises `GatewayError`; ``is_available``: whether requests may
    be sent to the provider of that id now.
    """

    def __init__(
        self,
        connect: Callable[[Provider], Upstream],
        is_available: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._connect = connect
        self._is_available = is_available
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def models_of(self, provider: Provider) -> tuple[str, ...]:
        """Return the ids of the models; waits only for the first fetch, which is bounded in time. Never raises."""
        if not is_discoverable(provider) or not self._is_available(provider.id):
            return ()
        known = self._known.get(provider.id)
        if known is None or known.provider != provider:
            if known is not None and known.task is not None:
                known.task.cancel()
            known = self._known[provider.id] = _Known(provider)
        if known.task is None and self._clock() >= known.expires_at:
            known.task = asyncio.get_running_loop().create_task(self._refresh(known))
        if known.task is not None and not known.has_models:
            await asyncio.wait([known.task])
        return known.models

    async def run(self) -> None:
        """Own the background fetches: cancel them when cancelled."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            for known in self._known.values():
                if known.task is not None:
                    known.task.cancel()

    async def _refresh(self, known: _Known) -> None:
        try:
            known.models = await self._fetch(known.provider)
        except (GatewayError, OSError, ValueError) as error:
            if not known.failed:
                logger.warning(
                    "the models of '%s' cannot be listed, /v1/models has only those of the config: %s",
                    known.provider.id,
                    getattr(error, "message", error),
                )
            known.failed = True
            known.expires_at = self._clock() + RETRY_SECONDS
        else:
            if not known.has_models:
                logger.info("models of '%s' discovered count=%d", known.provider.id, len(known.models))
            known.has_models, known.failed = True, False
            known.expires_at = self._clock() + FRESH_SECONDS
        finally:
            known.task = None

    async def _fetch(self, provider: Provider) -> tuple[str, ...]:
        """Return the models that the provider lists. Raises `GatewayError`, OSError, ValueError."""
        upstream = self._connect(provider)
        response = await fetch(
            upstream,
            _TARGETS.get(provider.api, b"/v1/models"),
            lines=version_line(provider),
            connect_seconds=CONNECT_SECONDS,
            response_seconds=RESPONSE_SECONDS,
            body_limit=_BODY_LIMIT,
        )
        if response.status != 200:
            raise ValueError(f"{upstream.origin} responds with status {response.status}")
        try:
            ids = model_ids(response.body)
        except ValueError:
            ids = None
        if ids is None:
            raise ValueError(f"{upstream.origin} does not respond with a list of models")
        secrets = [secret.decode("utf-8", "replace") for secret in upstream.secrets]
        return tuple(one for one in ids if not any(secret in one for secret in secrets))


def is_discoverable(provider: Provider) -> bool:
    """Return whether the provider may be contacted: it is ready, and the config lists no models of it."""
    return provider.problem is None and provider.discovers_models and not provider.models
