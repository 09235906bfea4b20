"""Declares the settings of the bridge.

Pure: no file, no environment, nothing is dialled. See `settings.roles.relay` for what is derived from a field.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from clawgate.settings.fields import Port, Secret, Url, env_var, setting
from clawgate.settings.roles.relay import RelaySettings, Token


class BridgeSettings(RelaySettings):
    """``clawgate bridge run``; in the config file: ``plugins.entries.<ENTRY>.config``."""

    ENTRY: ClassVar[str] = "proxy-bridge"

    remote_url: Url = Field(
        description="The remote proxy, without /v1.", json_schema_extra=env_var("PROXY_BRIDGE_URL")
    )
    proxy_token: Secret = Field(
        description="What the remote proxy wants to see as X-Proxy-Token.",
        json_schema_extra=env_var("PROXY_BRIDGE_TOKEN"),
    )
    bridge_port: Port = setting("Port to listen on; 0 takes a free one.", 18800, "PROXY_BRIDGE_PORT")
    host: str = setting("Address to listen on.", "127.0.0.1", "PROXY_BRIDGE_HOST")
    bridge_token: Token | None = setting(
        "Token that clients of the bridge must present.", variable="PROXY_BRIDGE_LOCAL_TOKEN"
    )
    models: tuple[Any, ...] = Field(
        (), description="Model ids for the wizard and for OpenClaw; the bridge relays them all.", exclude=True
    )
    verbose: bool = setting("Log every request, not only those that fail.", False)

    @property
    def upstream_url(self) -> str:
        return self.remote_url
