"""What does the plugin register? A service, its provider, its command; nothing happens here."""

from __future__ import annotations

from clawgate.bundled.proxy_bridge.config import ID, BridgeConfig
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.bundled.proxy_bridge.service import BridgeService
from clawgate.bundled.proxy_bridge.status_command import StatusCommand
from clawgate.plugins.api import Registrar


class BridgePlugin:
    """The plugin ``proxy-bridge``."""

    id = ID
    name = "Proxy bridge"
    version = "1.0.0"
    description = (
        "Asks the models of a remote proxy that wants X-Proxy-Token, through a bridge in the gateway."
    )
    config_class = BridgeConfig

    def register(self, registrar: Registrar) -> None:
        registrar.add_service(BridgeService())
        registrar.add_provider(BridgeProvider())
        registrar.add_command(StatusCommand())


plugin = BridgePlugin()
