"""Checks whether the provider's settings lead to the bridge, with the token that it requires.

A value that is not known here, such as a reference to a variable, counts as right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgate.bundled.proxy_bridge.config import ID, origin
from clawgate.plugins.api import BridgeSettings, Diagnostic, KeyPath, address_in, object_at

PROVIDER = ("models", "providers", ID)
_CONFIG = ("plugins", "entries", ID, "config")
_PORT: KeyPath = (*_CONFIG, "bridgePort")
_PLACEHOLDER_KEY = "bridge"
"""The provider's key for a bridge without a token."""
_ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  # not to listen on, to recognise


def diagnostics(config: Mapping[str, Any], settings: BridgeSettings) -> list[Diagnostic]:
    """Return what in ``config``, the whole file, keeps the gateway's requests from the bridge."""
    block = object_at(config, PROVIDER)
    found = [_check_address(block.get("baseUrl"), settings), _check_token(config, settings)]
    return [one for one in found if one is not None]


def _check_address(url: object, settings: BridgeSettings) -> Diagnostic | None:
    address = address_in(url)
    if address is None:
        return None
    host, port = address
    if settings.bridge_port == 0:
        return Diagnostic(
            path=_PORT,
            message="the bridge takes any free port (0), which the provider's baseUrl cannot name",
            fix=f"set it to {port}, as in baseUrl of the provider",
        )
    here = origin(settings.host, settings.bridge_port)
    is_any = settings.host in _ANY_ADDRESS
    same_host = host == settings.host.lower() or "localhost" in (host, settings.host) or is_any
    if same_host and port == settings.bridge_port:
        return None
    other = f", or bridgePort to {port}" if same_host else ""
    return Diagnostic(
        path=(*PROVIDER, "baseUrl"),
        message=f"it leads to {host}:{port}, but the bridge listens at {here}",
        fix=f"set it to {here}/v1{other}",
    )


def _check_token(config: Mapping[str, Any], settings: BridgeSettings) -> Diagnostic | None:
    block, token = object_at(config, PROVIDER), settings.bridge_token
    key = block.get("apiKey")
    if token is None or not block or object_at(block, ("request", "auth")):
        return None
    if key not in (None, _PLACEHOLDER_KEY):
        own_token = object_at(config, _CONFIG).get("bridgeToken")
        is_reference = not isinstance(key, str) or "$" in key or "$" in str(own_token)
        if is_reference or key == token.get_secret_value():
            return None
    return Diagnostic(
        path=(*PROVIDER, "apiKey"),
        message="the bridge requires its bridgeToken, and this is another value",
        fix="set both to the same value, such as ${PROXY_BRIDGE_LOCAL_TOKEN}",
    )
