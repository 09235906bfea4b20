"""Defines the ids and addresses of the bridge.

Its settings are `BridgeSettings`, those of ``clawgate bridge run``: the same keys, defaults and variables.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from clawgate.plugins.api import BridgeSettings

ID = "proxy-bridge"
"""The id of the plugin, of its provider and of its command."""

HEADER = "X-Proxy-Token"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 18800
OWN_ROUTE_KEYS = ("caFile", "clientCertificate", "upstreamProxy")
"""Settings that only the bridge itself uses on its way to the remote: a plain request may fail without them."""


def has_own_route(settings: BridgeSettings) -> bool:
    """Whether one of `OWN_ROUTE_KEYS` is set."""
    return any((settings.ca_file, settings.client_certificate, settings.upstream_proxy))


def is_this_machine(host: str) -> bool:
    """Whether ``host`` is this machine, as far as its name shows."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower().rstrip(".") in ("localhost", "localhost.localdomain")
    return address.is_loopback or address.is_unspecified


def origin(host: str, port: int) -> str:
    """Return the URL, without a path, of a bridge that listens on ``host``."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  # not to listen on, to recognise
        host = "::1" if host == "::" else DEFAULT_HOST
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_the_bridge(url: str, port: int) -> bool:
    """Whether ``url`` leads to the bridge that listens on ``port`` of this machine."""
    try:
        parts = urlsplit(url)
        default_port = 443 if parts.scheme.lower() == "https" else 80
        return is_this_machine(parts.hostname or "") and (parts.port or default_port) == port
    except ValueError:
        return False


def models_url(remote_url: str) -> str:
    """Return where the remote lists its models. ``remote_url`` may end in /v1 or not."""
    return f"{remote_url.rstrip('/').removesuffix('/v1')}/v1/models"


def models_problem(text: str) -> str | None:
    """Return what is wrong with a comma-separated list of model ids, or None."""
    for part in text.split(","):
        word = part.strip()
        if len(word) > 200 or not word.isprintable() or " " in word:
            shown = word[:60] if word.isprintable() else ascii(word[:60])[1:-1]
            return f"'{shown}' is not a model id, such as gpt-4o"
    return None
