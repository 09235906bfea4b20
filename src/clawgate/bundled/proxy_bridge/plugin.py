"""Defines the plugin ``proxy-bridge``: a service, its provider and its command."""

from __future__ import annotations

from clawgate.bundled.proxy_bridge.config import ID
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.bundled.proxy_bridge.service import BridgeService
from clawgate.bundled.proxy_bridge.status_command import status_command
from clawgate.plugins.api import BridgeSettings, Registrar


class BridgePlugin:
    """The plugin ``proxy-bridge``."""

    id = ID
    name = "Proxy bridge"
    version = "1.0.0"
    description = (
        "Serves the models of a remote proxy that requires X-Proxy-Token, through a bridge in the gateway."
    )
    config_class = BridgeSettings

    def register(self, registrar: Registrar) -> None:
        registrar.add_service(BridgeService())
        registrar.add_provider(BridgeProvider())
        registrar.add_command(status_command())


plugin = BridgePlugin()
