"""Defines the plugin ``anthropic-claude-proxy``: a service, its provider and its command."""

from __future__ import annotations

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.bundled.anthropic_claude_proxy.service import ProxyService
from clawgate.bundled.anthropic_claude_proxy.status_command import status_command
from clawgate.plugins.api import Registrar


class ProxyPlugin:
    """The plugin ``anthropic-claude-proxy``."""

    id = ID
    name = "Anthropic Claude proxy"
    version = "1.0.0"
    description = "Runs a local Claude proxy and serves its models through Anthropic's Messages API."
    config_class = ProxyConfig

    def register(self, registrar: Registrar) -> None:
        service = ProxyService()
        registrar.add_service(service)
        registrar.add_provider(ProxyProvider(service.profiles))
        registrar.add_command(status_command())


plugin = ProxyPlugin()
