"""How does a bridge run inside another role's process? The same bridge, on the event loop that is there already."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.app.bridge import build_bridge
from clawgate.app.role import RelayRole
from clawgate.plugins.api import PluginError, RelaySpec
from clawgate.processes.port_owner import port_owner
from clawgate.providers.credential import HeaderToken
from clawgate.relay.downstream.server import close, listen
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.loader import SettingsSources, load

_LOOK_EVERY_SECONDS = 0.02
_DRAIN_SECONDS = 5.0


class Relay:
    """A bridge that listens."""

    def __init__(self, role: RelayRole, sockets: list[socket.socket], servers: list[asyncio.Server]) -> None:
        self.host = role.host
        self.port: int = sockets[0].getsockname()[1]
        self._front = role.front
        self._servers = servers
        self._stopped = False

    @property
    def requests(self) -> int:
        """Connections that were accepted: what a listener that keeps no count of requests knows."""
        return self._front.accepted_count

    async def stop(self) -> None:
        """Take no more requests, let those under way end, close."""
        if self._stopped:
            return
        self._stopped = True
        self._front.draining = True
        for server in self._servers:
            server.close()
        self._front.close_idle_connections()
        loop = asyncio.get_running_loop()
        until = loop.time() + _DRAIN_SECONDS
        while self._front.busy_count:
            if loop.time() >= until:
                break
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        self._front.close()


async def serve_relay(plan: RelaySpec, dialer: Dialer, *, instance: str) -> Relay:
    """Listen as ``plan`` says; health names ``instance``. Raises `PluginError` where it cannot."""
    try:
        role = build_bridge(
            _settings(plan),
            dialer=dialer,
            instance=instance,
            name=plan.name,
            credential=HeaderToken(plan.header, plan.secret.get_secret_value(), plan.prefix),
        )
    except (SettingsInvalid, ValueError) as error:
        raise PluginError(f"its relay cannot be set up: {error}") from error
    try:
        sockets = listen(plan.host, plan.port)
    except (OSError, UnicodeError) as error:
        owner = port_owner(plan.port)
        held = f" (held by {owner})" if owner else ""
        raise PluginError(
            f"cannot listen on {plan.host} port {plan.port}: {getattr(error, 'strerror', None) or error}{held}",
            next_step="stop what holds it, or configure another port",
        ) from error
    config = Config(role.app, http=role.front.make_protocol, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    role.front.open()
    state = ServerState()
    loop = asyncio.get_running_loop()
    make: Callable[[], asyncio.Protocol] = lambda: role.front.make_protocol(config, state, {})  # noqa: E731
    try:
        servers = [await _serving(loop.create_server(make, sock=sock)) for sock in sockets]
    except OSError as error:
        close(sockets)
        raise PluginError(f"cannot serve on port {plan.port}: {error}") from error
    return Relay(role, sockets, servers)


async def _serving(server: Awaitable[asyncio.Server]) -> asyncio.Server:
    return await server


def _settings(plan: RelaySpec) -> BridgeSettings:
    values: dict[str, object] = {
        "host": plan.host,
        "bridge_port": plan.port,
        "remote_url": plan.remote_url,
        "proxy_token": SecretStr(plan.secret.get_secret_value()),
        **plan.limits,
    }
    if unknown := values.keys() - BridgeSettings.model_fields.keys():
        raise ValueError(f"there are no limits {', '.join(sorted(unknown))}")
    if plan.local_token is not None:
        values["bridge_token"] = plan.local_token
    return load(BridgeSettings, values, SettingsSources())
