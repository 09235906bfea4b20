"""Runs the bridge of ``clawgate bridge run`` inside another role's process, on its event loop."""

from __future__ import annotations

import asyncio
import socket

from clawgate.app.bridge import build_bridge
from clawgate.app.role import RelayRole
from clawgate.app.run import make_protocol_factory
from clawgate.plugins.api import BridgeSettings, PluginError, RelaySpec
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.processes.port_owner import port_owner
from clawgate.providers.credential import HeaderToken
from clawgate.relay.downstream.server import accept_backlog, close, drain, listen
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.problems import SettingsInvalid

_DRAIN_SECONDS = 5.0


class Relay:
    def __init__(self, role: RelayRole, sockets: list[socket.socket], servers: list[asyncio.Server]) -> None:
        self.host = role.host
        self.port: int = sockets[0].getsockname()[1]
        self._connections = role.connections
        self._servers = servers
        self._stopped = False

    @property
    def connections(self) -> int:
        return self._connections.accepted_count

    async def stop(self) -> None:
        """Accept no more connections, drain as `Server` does, close."""
        if self._stopped:
            return
        self._stopped = True
        self._connections.draining = True
        await accept_backlog(self._connections)
        for server in self._servers:
            server.close()
        await drain(self._connections, _DRAIN_SECONDS)
        self._connections.close()


async def serve_relay(
    spec: RelaySpec, dialer: Dialer, *, instance: str, network: NetworkRules = NO_RULES
) -> Relay:
    """Listen; ``/health`` reports ``instance``. Raises `PluginError` if that fails."""
    settings = spec.settings
    try:
        role = build_bridge(
            settings,
            dialer=dialer,
            instance=instance,
            name=spec.name,
            network=network,
            credential=HeaderToken(spec.header, settings.proxy_token.get_secret_value(), spec.prefix),
        )
    except (SettingsInvalid, ValueError) as error:
        raise PluginError(f"its relay has invalid settings: {error}") from error
    try:
        sockets = listen(settings.host, settings.bridge_port)
    except (OSError, UnicodeError) as error:
        raise PluginError(
            f"cannot listen on {_address(settings)}: {_listen_error(error, settings.bridge_port)}",
            next_step="stop the program on that port, or configure another port",
        ) from error
    make_protocol = make_protocol_factory(role.connections, role.app)
    loop = asyncio.get_running_loop()
    try:
        servers = [await loop.create_server(make_protocol, sock=sock) for sock in sockets]
    except OSError as error:
        close(sockets)
        raise PluginError(f"cannot serve on {_address(settings)}: {error}") from error
    return Relay(role, sockets, servers)


def _address(settings: BridgeSettings) -> str:
    return f"{settings.host} port {settings.bridge_port}"


def _listen_error(error: Exception, port: int) -> str:
    owner = port_owner(port)
    held = f" (held by {owner})" if owner else ""
    return f"{getattr(error, 'strerror', None) or error}{held}"
