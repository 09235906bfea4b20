"""The hooks of a gateway without plugins."""

from __future__ import annotations

from clawgate.errors import ProviderUnavailable
from clawgate.routing.plugin_hooks import MapError, TransformRequest


class NoHooks:
    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        return None

    def request_transformer(self, provider: str) -> TransformRequest | None:
        return None

    def further_apis(self, provider: str) -> tuple[str, ...]:
        return ()

    def error_mapper(self, provider: str) -> MapError | None:
        return None
