"""When does the bridge listen? From the gateway's start to its end; while its port is taken, it waits for it.

Whoever asks from outside (the status command) reads a small file in the plugin's own folder: where the bridge listens,
or why it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any

from clawgate.bundled.proxy_bridge import local
from clawgate.bundled.proxy_bridge.config import HEADER, BridgeConfig, origin
from clawgate.plugins.api import (
    PluginError,
    RelaySpec,
    RunningRelay,
    ServiceContext,
    ServiceStatus,
    Unavailable,
)

STATE_FILE = "status.json"
RETRY_SECONDS = 1.0
_NOT_STARTED = "the bridge was not started"


class BridgeService:
    """The bridge. ``retry_seconds``: between two tries at a port that is taken."""

    def __init__(self, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._retry_seconds = retry_seconds
        self._relay: RunningRelay | None = None
        self._remote = ""
        self._why = _NOT_STARTED
        self._next_step = ""
        self._told = ""  # by the host, why it cannot listen
        self._waiting: asyncio.Task[None] | None = None
        self._folder: Path | None = None

    async def start(self, context: ServiceContext) -> None:
        """Listen, or wait for the port. Raises `PluginError` for what does not mend itself."""
        config = context.config
        assert isinstance(config, BridgeConfig)
        self._remote, self._folder = config.remote_url, context.state_dir
        if await self._listens(context, config):
            return
        context.log.error("%s; %s", self._why, self._next_step)
        self._waiting = asyncio.get_running_loop().create_task(
            self._wait_for_port(context, config), name="proxy-bridge: waits for its port"
        )

    async def stop(self) -> None:
        """Take no more requests, let those under way end. Twice is harmless."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
            self._waiting = None
        relay, self._relay = self._relay, None
        self._why, self._next_step, self._told = _NOT_STARTED, "", ""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / STATE_FILE).unlink()
        if relay is not None:
            await relay.stop()

    def status(self) -> ServiceStatus:
        """Where it listens, for whom, and how much was asked."""
        if self._relay is None:
            state = "port_taken" if self._waiting is not None else "stopped"
            return ServiceStatus(
                state=state,
                ok=False,
                reason=self._why,
                next_step=self._next_step,
                details={"remote": self._remote} if self._remote else {},
            )
        details: dict[str, object] = {
            "url": f"{origin(self._relay.host, self._relay.port)}/v1",
            "remote": self._remote,
            "requests": self._relay.requests,
        }
        return ServiceStatus(state="listening", ok=True, details=details)

    def unavailable(self) -> Unavailable | None:
        if self._relay is not None:
            return None
        more = f"; {self._next_step}" if self._next_step else ""
        return Unavailable(reason=f"{self._why}{more}", retry_after=5)

    async def _listens(self, context: ServiceContext, config: BridgeConfig) -> bool:
        """Whether it does now; else why not is known. Raises `PluginError`."""
        try:
            relay = await context.serve_relay(plan_of(config))
        except PluginError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                self._note(context, reason=error.message, next_step=error.next_step)
                raise
            if error.message != self._told:  # who holds it is asked once, not at every try
                self._told = error.message
                found = await local.look(context.fetch, origin(config.host, config.bridge_port))
                ours = "; it is a bridge of clawgate, and not this gateway's" if found.who == "bridge" else ""
                self._why, self._next_step = f"{error.message}{ours}", _next_step(found)
                self._note(context, reason=self._why, next_step=self._next_step)
            return False
        self._relay, self._why, self._next_step, self._told = relay, "", "", ""
        self._note(context, host=relay.host, port=relay.port)
        context.log.info("bridge listening on %s -> %s", origin(relay.host, relay.port), config.remote_url)
        return True

    async def _wait_for_port(self, context: ServiceContext, config: BridgeConfig) -> None:
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                if await self._listens(context, config):
                    return
            except PluginError as error:
                self._why, self._next_step = error.message, error.next_step
                self._note(context, reason=self._why, next_step=self._next_step)
                context.log.error("%s", error)  # noqa: TRY400  # for the operator to mend
                return

    def _note(self, context: ServiceContext, **known: Any) -> None:
        """For the status command; where it cannot be written, that command asks the port alone."""
        with contextlib.suppress(OSError):
            _write(context.state_dir / STATE_FILE, {"instance": context.instance, **known})


def plan_of(config: BridgeConfig) -> RelaySpec:
    """The relay as the config has it."""
    return RelaySpec(
        name="proxy-bridge",
        host=config.host,
        port=config.bridge_port,
        remote_url=config.remote_url,
        header=HEADER,
        secret=config.proxy_token,
        local_token=config.bridge_token,
        limits=config.limits(),
    )


def _next_step(found: local.Local) -> str:
    if found.who == "bridge":
        return "end the other bridge ('clawgate bridge run', or another gateway), or set another bridgePort"
    return "end what holds the port, or set another bridgePort and the same port in the provider's baseUrl"


def _write(path: Path, known: dict[str, Any]) -> None:
    """At once or not at all. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(known, file)
    draft.replace(path)


def read_note(folder: Path, instance: str | None) -> dict[str, Any] | None:
    """What the gateway that is running noted last; None where none runs or it noted nothing."""
    try:
        found = json.loads((folder / STATE_FILE).read_bytes()[:100_000])
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or instance is None or found.get("instance") != instance:
        return None
    return found
