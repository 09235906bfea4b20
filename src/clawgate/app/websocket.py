"""Composes the WebSockets of the gateway's port: OpenClaw's protocol on the relay's transport.

Law: what they alone need is imported with the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clawgate.app.agents import AgentHost, now_ms
from clawgate.app.model_discovery import ModelDiscovery
from clawgate.app.plugins.host import PluginHost
from clawgate.control.websocket.clients import Clients
from clawgate.control.websocket.method import Gateway
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.upgrade import AdmittedSocket
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.settings.openclaw.config_file import ConfigFile

if TYPE_CHECKING:
    from clawgate.relay.downstream.websocket_connection import WebSocketConnection

SOCKET_PATHS = frozenset({b"/"})
PASSWORD = "password"  # the name of a caller, by what it presents


class GatewaySockets:
    """The WebSockets of one gateway; `serve` has to be called before the first."""

    def __init__(self) -> None:
        self.clients = Clients(now_ms)
        self.gateway: Gateway

    def serve(
        self,
        router: GatewayRouter,
        connections: ConnectionManager,
        plugins: PluginHost,
        discovery: ModelDiscovery,
        agents: AgentHost,
        file: Callable[[], ConfigFile],
        instance: str,
    ) -> None:
        """Have methods see these parts of the gateway; ``file`` returns the config that is in use."""
        self.gateway = Gateway(
            router=router,
            models=discovery,
            file=file,
            clients=self.clients,
            instance=instance,
            now_ms=now_ms,
            started_ms=now_ms(),
            auth_mode=lambda: _auth_mode(connections.admission),
            plugins=lambda: list(plugins.statuses()),
            state=plugins.environment.state,
            find_agents=lambda: agents.socket_runs if router.agents is not None else None,
            find_runs=lambda: agents.socket_runs,
            count_runs=lambda: agents.running_count,
        )

    def make(self, listener: ConnectionManager, upgrade: AdmittedSocket) -> WebSocketConnection:
        from clawgate.control.websocket.methods.table import METHODS
        from clawgate.control.websocket.session import SocketSession
        from clawgate.relay.downstream.websocket_connection import WebSocketConnection

        admission = listener.admission
        session = SocketSession(
            self.gateway,
            METHODS,
            lambda head, remote, secret: admission.identify(head, remote, secret, listener.now()),
        )
        return WebSocketConnection(listener, upgrade, session)


def _auth_mode(admission: Admission) -> str:
    """Return what a caller has to show, as ``gateway.auth.mode`` names it."""
    if admission.identity is not None:
        return "trusted-proxy"
    if admission.tokens is None:
        return "none"
    return PASSWORD if any(name == PASSWORD for name, _ in admission.tokens.entries) else "token"
