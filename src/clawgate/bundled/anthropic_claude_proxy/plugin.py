"""What does the plugin register? A service, its provider, its command; nothing happens here."""

from __future__ import annotations

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.bundled.anthropic_claude_proxy.service import ProxyService
from clawgate.bundled.anthropic_claude_proxy.status_command import StatusCommand
from clawgate.plugins.api import Registrar


class ProxyPlugin:
    """The plugin ``anthropic-claude-proxy``."""

    id = ID
    name = "Anthropic Claude proxy"
    version = "1.0.0"
    description = (
        "Starts and watches a local Claude proxy, and asks its models through Anthropic's Messages API."
    )
    config_class = ProxyConfig

    def register(self, registrar: Registrar) -> None:
        registrar.add_service(ProxyService())
        registrar.add_provider(ProxyProvider())
        registrar.add_command(StatusCommand())


plugin = ProxyPlugin()
