"""The bridge has its defaults and its upstream."""

from __future__ import annotations

from clawgate.settings.roles.bridge import BridgeSettings
from tests.settings.canary import BRIDGE
from tests.settings.roles.role_settings import check_safe_defaults


def test_the_defaults_of_the_bridge_are_safe() -> None:
    """Loopback, no page, a limit on everything."""
    bridge = BridgeSettings.model_validate(BRIDGE)
    check_safe_defaults(bridge)
    assert bridge.host == "127.0.0.1" and bridge.bridge_port == 18800 and bridge.bridge_token is None


def test_the_upstream_is_the_remote_proxy() -> None:
    assert BridgeSettings.model_validate(BRIDGE).upstream_url == BRIDGE["remoteUrl"]
