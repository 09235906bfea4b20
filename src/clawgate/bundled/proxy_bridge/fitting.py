"""Do the settings of the provider lead to where the bridge listens, with the token that it wants?

What cannot be told (an address by a reference, a key from a variable) is taken to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from clawgate.bundled.proxy_bridge.config import ID, BridgeConfig, origin
from clawgate.bundled.proxy_bridge.remote import part
from clawgate.plugins.api import Diagnostic, KeyPath

PROVIDER = ("models", "providers", ID)
_CONFIG = ("plugins", "entries", ID, "config")
_PORT: KeyPath = (*_CONFIG, "bridgePort")
_NO_KEY = "bridge"
"""What stands as the provider's key where the bridge wants none."""
_ANY = ("0.0.0.0", "::", "")  # noqa: S104  # not to listen on, to recognise


def notes(config: Mapping[str, Any], settings: BridgeConfig) -> list[Diagnostic]:
    """What of ``config``, the whole file, keeps the gateway's requests from the bridge."""
    block = part(config, *PROVIDER)
    found = [_about_place(block.get("baseUrl"), settings), _about_token(config, settings)]
    return [note for note in found if note is not None]


def _about_place(url: object, settings: BridgeConfig) -> Diagnostic | None:
    there = _place(url)
    if there is None:
        return None
    host, port = there
    if settings.bridge_port == 0:
        return Diagnostic(
            path=_PORT,
            message="the bridge takes any free port (0), and the gateway's requests cannot know which",
            fix=f"set it to {port}, which baseUrl of the provider names",
        )
    here = origin(settings.host, settings.bridge_port)
    same_host = host == settings.host.lower() or "localhost" in (host, settings.host) or settings.host in _ANY
    if same_host and port == settings.bridge_port:
        return None
    other = f", or bridgePort to {port}" if same_host else ""
    return Diagnostic(
        path=(*PROVIDER, "baseUrl"),
        message=f"it leads to {host}:{port}, and the bridge listens at {here}",
        fix=f"set it to {here}/v1{other}",
    )


def _about_token(config: Mapping[str, Any], settings: BridgeConfig) -> Diagnostic | None:
    block, token = part(config, *PROVIDER), settings.bridge_token
    key = block.get("apiKey")
    if token is None or not block or part(block, "request", "auth"):
        return None
    if key not in (None, _NO_KEY):
        refers = (
            not isinstance(key, str) or "$" in key or "$" in str(part(config, *_CONFIG).get("bridgeToken"))
        )
        if refers or key == token.get_secret_value():
            return None
    return Diagnostic(
        path=(*PROVIDER, "apiKey"),
        message="the bridge wants its bridgeToken, and this is not the same",
        fix="set both to one value, such as ${PROXY_BRIDGE_LOCAL_TOKEN}",
    )


def _place(url: object) -> tuple[str, int] | None:
    """Host and port; None for what is no plain URL, which is somebody else's to judge."""
    if not isinstance(url, str) or "$" in url:
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname else None
