"""What may an operator set for the bridge? The same keys, defaults and variables as ``clawgate bridge run`` has.

What every relay has in common comes with the plugin interface; a test compares the rest. What only the host can judge
(a weak token, a certificate that cannot be read) it says when the bridge starts.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from clawgate.plugins.api import Port, RelaySettings, Secret, Url, env_var

ID = "proxy-bridge"
"""Of the plugin, of its provider and of its command."""

HEADER = "X-Proxy-Token"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 18800

_NOT_LIMITS = frozenset(
    {"host", "bridge_port", "remote_url", "proxy_token", "bridge_token", "models", "exit_on_stdin_eof"}
)
"""What a relay is told on its own, and what means nothing within a gateway."""


class BridgeConfig(RelaySettings):
    """``plugins.entries."proxy-bridge".config``."""

    remote_url: Url = Field(
        description="The remote proxy, without /v1.", json_schema_extra=env_var("PROXY_BRIDGE_URL")
    )
    proxy_token: Secret = Field(
        description="What the remote proxy wants to see as X-Proxy-Token.",
        json_schema_extra=env_var("PROXY_BRIDGE_TOKEN"),
    )
    bridge_port: Port = Field(
        DEFAULT_PORT,
        description="Port to listen on; 0 takes a free one.",
        json_schema_extra=env_var("PROXY_BRIDGE_PORT"),
    )
    host: str = Field(
        DEFAULT_HOST, description="Address to listen on.", json_schema_extra=env_var("PROXY_BRIDGE_HOST")
    )
    bridge_token: Secret | None = Field(
        None,
        description="Token that clients of the bridge must present.",
        json_schema_extra=env_var("PROXY_BRIDGE_LOCAL_TOKEN"),
    )
    models: tuple[Any, ...] = Field(
        (), description="Model ids for the wizard and for OpenClaw; the bridge relays them all.", exclude=True
    )
    verbose: bool = Field(False, description="Log every request, not only those that fail.")

    @property
    def upstream_url(self) -> str:
        """The remote proxy."""
        return self.remote_url

    @property
    def goes_its_own_way(self) -> bool:
        """Whether only the bridge itself can reach the remote: by its own authorities, certificate or proxy."""
        return any((self.ca_file, self.client_certificate, self.upstream_proxy))

    def limits(self) -> dict[str, object]:
        """What was set of all that a relay is told beside its place and its credential."""
        return {
            name: value
            for name in self.model_fields_set - _NOT_LIMITS
            if (value := getattr(self, name)) is not None
        }


def is_here(host: str) -> bool:
    """Whether ``host`` is this machine, as far as its name tells."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower().rstrip(".") in ("localhost", "localhost.localdomain")
    return address.is_loopback or address.is_unspecified


def origin(host: str, port: int) -> str:
    """Where a bridge that listens there is asked, without a path."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  # not to listen on, to recognise
        host = "::1" if host == "::" else DEFAULT_HOST
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_the_bridge(url: str, port: int) -> bool:
    """Whether ``url`` is the bridge that listens on ``port`` of this machine."""
    try:
        parts = urlsplit(url)
        usual = 443 if parts.scheme.lower() == "https" else 80
        return is_here(parts.hostname or "") and (parts.port or usual) == port
    except ValueError:
        return False


def models_url(remote_url: str) -> str:
    """Where the remote lists its models; its URL may end in /v1 or not."""
    return f"{remote_url.rstrip('/').removesuffix('/v1')}/v1/models"


def why_no_models(text: str) -> str | None:
    """What is wrong with a comma list of models."""
    for part in text.split(","):
        word = part.strip()
        if len(word) > 200 or not word.isprintable() or " " in word:
            shown = word[:60] if word.isprintable() else ascii(word[:60])[1:-1]
            return f"'{shown}' is no id of a model, such as gpt-4o"
    return None
