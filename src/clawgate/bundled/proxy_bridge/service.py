"""Runs the bridge from the gateway's start to its end. While its port is taken, it waits for the port.

Invariant: it never uses another program that listens on the port; requests fail meanwhile.
"""

from __future__ import annotations

import asyncio
import errno

from pydantic import BaseModel

from clawgate.bundled.proxy_bridge.config import HEADER, origin
from clawgate.bundled.proxy_bridge.listener_check import Listener, check_listener
from clawgate.plugins import api

RETRY_SECONDS = 1.0
_NOT_STARTED = "the bridge was not started"


class BridgeService:
    """The bridge. ``retry_seconds``: between two tries at a port that is taken."""

    def __init__(self, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = retry_seconds
        self._relay: api.RunningRelay | None = None
        self._settings: api.BridgeSettings | None = None
        self._reason = _NOT_STARTED
        self._next_step = ""
        self._listen_error = ""
        self._waiting: asyncio.Task[None] | None = None

    async def start(self, context: api.ServiceContext) -> None:
        """Listen, or begin to wait for the port. Raises `PluginError` for what the operator has to fix."""
        settings = context.config
        assert isinstance(settings, api.BridgeSettings)
        self._settings = settings
        if await self._listen(context, settings):
            return
        context.log.error("%s; %s", self._reason, self._next_step)
        self._waiting = asyncio.get_running_loop().create_task(
            self._wait_for_port(context, settings), name="proxy-bridge: wait for the port"
        )

    def reconfigure(self, config: BaseModel) -> bool:
        """Use ``config`` if it is the same but for the models, of which the bridge relays all."""
        if self._settings is None or not isinstance(config, api.BridgeSettings):
            return False
        return config.model_copy(update={"models": self._settings.models}) == self._settings

    async def stop(self) -> None:
        """Accept no more requests and drain. Idempotent."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
            self._waiting = None
        relay, self._relay = self._relay, None
        self._reason, self._next_step, self._listen_error = _NOT_STARTED, "", ""
        if relay is not None:
            await relay.stop()

    def status(self) -> api.ServiceStatus:
        """Return where the bridge listens, its remote and the number of connections; or why it does not listen."""
        remote = self._settings.remote_url if self._settings is not None else ""
        if self._relay is None:
            return api.ServiceStatus(
                state="port_taken" if self._waiting is not None else "stopped",
                ok=False,
                reason=self._reason,
                next_step=self._next_step,
                details={"remote": remote} if remote else {},
            )
        details: dict[str, object] = {
            "url": f"{origin(self._relay.host, self._relay.port)}/v1",
            "port": self._relay.port,
            "remote": remote,
            "connections": self._relay.connections,
        }
        return api.ServiceStatus(state="listening", ok=True, details=details)

    def unavailable(self) -> api.Unavailable | None:
        if self._relay is not None:
            return None
        step = f"; {self._next_step}" if self._next_step else ""
        return api.Unavailable(reason=f"{self._reason}{step}", retry_after=5)

    async def _listen(self, context: api.ServiceContext, settings: api.BridgeSettings) -> bool:
        """Return whether the bridge listens now; if not, the reason is set. Raises `PluginError`."""
        try:
            relay = await context.serve_relay(relay_spec(settings))
        except api.PluginError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                self._reason, self._next_step = error.message, error.next_step
                raise
            if error.message != self._listen_error:  # the listener is checked once, not at every try
                self._listen_error = error.message
                listener = await check_listener(context.fetch, origin(settings.host, settings.bridge_port))
                more = "; it is a bridge of clawgate of another process" if listener.kind == "bridge" else ""
                self._reason, self._next_step = f"{error.message}{more}", _next_step(listener)
            return False
        self._relay, self._reason, self._next_step, self._listen_error = relay, "", "", ""
        context.log.info("bridge listening on %s -> %s", origin(relay.host, relay.port), settings.remote_url)
        return True

    async def _wait_for_port(self, context: api.ServiceContext, settings: api.BridgeSettings) -> None:
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                if await self._listen(context, settings):
                    return
            except api.PluginError as error:
                context.log.error("%s", error)  # noqa: TRY400  # for the operator to fix
                return


def relay_spec(settings: api.BridgeSettings) -> api.RelaySpec:
    return api.RelaySpec(name="proxy-bridge", settings=settings, header=HEADER)


def _next_step(listener: Listener) -> str:
    if listener.kind == "bridge":
        return "stop the other bridge ('clawgate bridge run', or another gateway), or set another bridgePort"
    return (
        "stop the program on the port, or set another bridgePort and the same port in the provider's baseUrl"
    )
