"""What may an operator set for the bridge? The same keys, defaults and variables as ``clawgate bridge run`` has.

They are said here again, since a plugin knows the plugin interface alone; a test compares the two. What only the host
can judge (a weak token, a certificate that cannot be read) it says when the bridge starts.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from clawgate.plugins.api import PluginConfig, Port, Seconds, Secret, Url, env

ID = "proxy-bridge"
"""Of the plugin, of its provider and of its command."""

HEADER = "X-Proxy-Token"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 18800

_NOT_LIMITS = frozenset(
    {"host", "bridge_port", "remote_url", "proxy_token", "bridge_token", "models", "exit_on_stdin_eof"}
)
"""What a relay is told on its own, and what means nothing within a gateway."""


def _words(value: object) -> object:
    """A list, or a comma list."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        words = [word.strip() for part in value for word in part.split(",") if word.strip()]
        if value and not words:
            raise ValueError("names nothing")
        return words
    return value


def _a_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic reports ValueError
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class BridgeConfig(PluginConfig):
    """``plugins.entries."proxy-bridge".config``."""

    remote_url: Url = Field(
        description="The remote proxy, without /v1.", json_schema_extra=env("PROXY_BRIDGE_URL")
    )
    proxy_token: Secret = Field(
        description="What the remote proxy wants to see as X-Proxy-Token.",
        json_schema_extra=env("PROXY_BRIDGE_TOKEN"),
    )
    bridge_port: Port = Field(
        DEFAULT_PORT,
        description="Port to listen on; 0 takes a free one.",
        json_schema_extra=env("PROXY_BRIDGE_PORT"),
    )
    host: str = Field(
        DEFAULT_HOST, description="Address to listen on.", json_schema_extra=env("PROXY_BRIDGE_HOST")
    )
    bridge_token: Secret | None = Field(
        None,
        description="Token that clients of the bridge must present.",
        json_schema_extra=env("PROXY_BRIDGE_LOCAL_TOKEN"),
    )
    models: tuple[Any, ...] = Field(
        (), description="Model ids for the wizard and for OpenClaw; the bridge relays them all.", exclude=True
    )
    verbose: bool = Field(False, description="Log every request, not only those that fail.")
    connect_timeout: Seconds = Field(10, description="Seconds for a connection to the upstream.")
    first_byte_timeout: Seconds = Field(
        600,
        description="Seconds from the whole request to the first byte; comments that keep a stream warm do not count.",
    )
    idle_timeout: Seconds = Field(300, description="Seconds of silence within an answer.")
    total_timeout: Seconds = Field(3600, description="Seconds for one exchange from head to end.")
    drain_timeout: Seconds = Field(
        30, description="Seconds that answers under way get to finish when we stop."
    )
    max_body_mb: Annotated[float, BeforeValidator(_a_number), Field(gt=0, le=1024)] = Field(
        20, description="Largest request body, in MB (2^20 bytes)."
    )
    ca_file: str | None = Field(
        None, description="PEM file of the only authorities that the upstream is checked against."
    )
    client_certificate: str | None = Field(
        None, description="PEM file of the certificate shown to the upstream."
    )
    client_key: str | None = Field(
        None, description="PEM file of that certificate's key, if it is a file of its own."
    )
    upstream_proxy: SecretStr | None = Field(
        None,
        description="HTTP proxy (http://[user:password@]host:port) asked to CONNECT to the upstream; "
        "variables such as HTTPS_PROXY are never read.",
    )
    allow_host: Words = Field(
        (),
        description="Further names in Host to answer for, '*' for any; repeat it, or give a comma list.",
    )
    allow_origin: Words = Field(
        (), description="Web origins whose pages may call this; repeat it, or give a comma list."
    )
    exit_on_stdin_eof: bool = Field(
        False, description="Stop when standard input ends: for programs that start us."
    )

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
