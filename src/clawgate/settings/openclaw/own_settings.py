"""Declares the gateway's settings for which OpenClaw's schema has no key: ``plugins.entries.clawgate.config``.

OpenClaw keeps the entries of plugins that it does not have, so one file serves both programs (decision 0004). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError
from pydantic.alias_generators import to_camel

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.fields import (
    MAX_UPSTREAM_CONNECTIONS,
    UPSTREAM_WAIT_SECONDS,
    ConnectionCount,
    HostNames,
    Seconds,
    setting,
    suggestion,
)
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.problems import format_message
from clawgate.settings.schema.openclaw import OpenClawConfig

ENTRY = "clawgate"
"""The id under ``plugins.entries``; no plugin has it."""
SECTION: KeyPath = ("plugins", "entries", ENTRY, "config")

_OPTIONS = ConfigDict(
    frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
)


class ProviderSettings(BaseModel):
    """The settings of one provider; what is not set has the value of all."""

    model_config = _OPTIONS

    max_upstream_connections: ConnectionCount | None = setting(
        "Connections to this provider, idle ones included."
    )
    upstream_wait_timeout: Seconds | None = setting("Seconds that a request waits for one of them.")
    discover_models: StrictBool | None = setting(
        "Whether /v1/models has this provider's own list, if the config has none."
    )


class OwnSettings(BaseModel):
    model_config = _OPTIONS

    max_upstream_connections: ConnectionCount = setting(
        "Connections to each provider, idle ones included; further requests wait for one.",
        MAX_UPSTREAM_CONNECTIONS,
    )
    upstream_wait_timeout: Seconds = setting(
        "Seconds that a request waits for a connection when all are in use.", UPSTREAM_WAIT_SECONDS
    )
    discover_models: StrictBool = setting(
        "Whether /v1/models has the list of each provider for which the config lists no models.", True
    )
    direct_models: StrictBool | None = setting(
        "Whether requests may name a model of a provider; on by default where only this machine reaches the gateway."
    )
    allow_host: HostNames = setting("Further names to accept in Host, '*' for any.", ())
    providers: dict[str, ProviderSettings] = setting("What differs for one provider, by its id.", dict)

    def connections_of(self, provider: str) -> tuple[int, float, str]:
        """Return how many connections ``provider`` may have, how long a request waits, and the key of the first."""
        own = self.providers.get(provider, ProviderSettings())
        seconds = own.upstream_wait_timeout or self.upstream_wait_timeout
        key: KeyPath = (*SECTION, "maxUpstreamConnections")
        if own.max_upstream_connections is not None:
            key = (*SECTION, "providers", provider, "maxUpstreamConnections")
        return own.max_upstream_connections or self.max_upstream_connections, seconds, format_key_path(key)

    def discovers_models_of(self, provider: str) -> bool:
        own = self.providers.get(provider, ProviderSettings()).discover_models
        return self.discover_models if own is None else own


def own_settings(config: OpenClawConfig) -> OwnSettings:
    return OwnSettings.model_validate(_block(config))


def problems(config: OpenClawConfig) -> Iterator[Diagnostic]:
    """Yield what is wrong with them, by their key paths. An unknown key is an error, with a suggestion."""
    try:
        OwnSettings.model_validate(_block(config))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = (*SECTION, *detail["loc"])
            if detail["type"] == "extra_forbidden":
                model = OwnSettings if len(detail["loc"]) == 1 else ProviderSettings
                yield Diagnostic(path, "is not a setting", fix=suggestion(str(path[-1]), model))
            else:
                yield Diagnostic(path, format_message(detail))


def _block(config: OpenClawConfig) -> dict[str, Any]:
    entry = config.plugins.entries.get(ENTRY)
    return entry.config if entry is not None else {}
