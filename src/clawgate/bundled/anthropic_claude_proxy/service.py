"""What does the gateway have to keep running so that the proxy can be asked? The child is the host's to supervise.

Whoever asks from outside (the status command) reads a small file in the plugin's own folder, which is written whenever
something changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.environment import child_environment
from clawgate.bundled.anthropic_claude_proxy.health import Look, look
from clawgate.plugins.api import (
    ChildHandle,
    ChildSpec,
    ProbeResult,
    ServiceContext,
    ServiceStatus,
    Unavailable,
)

STATE_FILE = "status.json"
_NOTE_SECONDS = 0.5

READY_SECONDS = 120.0
"""``bunx`` may first have to fetch some 250 MB."""


class ProxyService:
    """Starts the proxy, or finds the one that is there, and says how it is."""

    def __init__(self) -> None:
        self._child: ChildHandle | None = None
        self._config: ProxyConfig | None = None
        self._seen: Look | None = None
        self._noting: asyncio.Task[None] | None = None
        self._folder: Path | None = None

    async def start(self, context: ServiceContext) -> None:
        """Begin; whether the proxy is ready is in `status`, and requests fail until then."""
        config = context.config
        assert isinstance(config, ProxyConfig)
        self._config, self._seen, self._folder = config, None, context.state_dir

        async def probe() -> ProbeResult:
            self._seen = await look(context.fetch, config.origin)
            return self._seen.finding

        self._child = context.supervise(plan_of(config, context.environment), probe)
        if not config.auto_start:
            context.log.info("autoStart is false: using the proxy at %s, if there is one", config.origin)
        else:
            context.log.info("starting proxy...")
        await self._child.start()
        note = self._note(context.state_dir, context.instance)
        self._noting = asyncio.get_running_loop().create_task(note, name="anthropic-claude-proxy: notes")

    async def stop(self) -> None:
        """End the child with all that came of it. An adopted proxy goes on: it is not ours."""
        if self._noting is not None:
            self._noting.cancel()
            await asyncio.wait({self._noting})
            self._noting = None
        if (
            self._folder is not None
        ):  # nobody shall take it for the state of a proxy that nobody watches any more
            with contextlib.suppress(OSError):
                (self._folder / STATE_FILE).unlink()
        if self._child is not None:
            await self._child.stop()

    def status(self) -> ServiceStatus:
        """As the child is; with the proxy's address, its version and its login in the details."""
        if self._child is None or self._config is None:
            return ServiceStatus(state="stopped", ok=False, reason="it was not started")
        found = self._child.status()
        seen = self._seen
        about: dict[str, object] = {"url": self._config.origin, "autoStart": self._config.auto_start}
        if seen is not None and found.ok:
            about |= {"version": seen.finding.version, "loggedIn": seen.logged_in}
        return ServiceStatus(
            state=found.state,
            ok=found.ok,
            reason=found.reason,
            next_step=found.next_step,
            details={**about, **found.details},
            lines=found.lines,
        )

    def unavailable(self) -> Unavailable | None:
        if self._child is None:
            return Unavailable(reason="the Claude proxy was not started")
        return self._child.unavailable()

    async def _note(self, folder: Path, instance: str) -> None:
        """Keep the file of the status command up to date, for as long as the gateway runs."""
        last: dict[str, Any] = {}
        while True:
            found = self.status()
            now = {
                "instance": instance,
                "state": found.state,
                "ok": found.ok,
                "reason": found.reason,
                "nextStep": found.next_step,
                "details": dict(found.details),
                "lines": list(found.lines),
            }
            if now != last:
                try:
                    write_state(folder, {**now, "at": time.time()})
                except OSError:
                    return  # the folder is gone, or the disk is full: the command then says that it knows nothing
                last = now
            await asyncio.sleep(_NOTE_SECONDS)


def plan_of(config: ProxyConfig, environment: Any) -> ChildSpec:
    """What is to be started, with which environment."""
    return ChildSpec(
        name="the Claude proxy",
        argv=config.command,
        environment=child_environment(
            environment, config.env, host=config.host, port=config.port, is_root=os.geteuid() == 0
        ),
        cwd=config.folder,
        host=config.host,
        port=config.port,
        auto_start=config.auto_start,
        auto_restart=config.auto_restart,
        restart_delay=config.restart_delay_ms / 1000,
        ready_timeout=READY_SECONDS,
    )


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """At once or not at all. Raises OSError."""
    draft = folder / f".{STATE_FILE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(state, file, default=str)
    draft.replace(folder / STATE_FILE)


def read_state(folder: Path, instance: str | None) -> dict[str, Any] | None:
    """What the gateway that is running noted last; None where none runs or it noted nothing."""
    try:
        found = json.loads((folder / STATE_FILE).read_bytes()[:1_000_000])
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or instance is None or found.get("instance") != instance:
        return None
    return found
