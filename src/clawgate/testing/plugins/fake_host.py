"""Stands in for the gateway in tests of plugins: it opens no socket, starts no process and records every call.

Used by the conformance kit and by the tests of plugin authors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clawgate.plugins import api


@dataclass(slots=True)
class FakeRelay:
    """A relay that was requested. It listens nowhere."""

    spec: api.RelaySpec
    stopped: bool = False

    @property
    def host(self) -> str:
        return self.spec.settings.host

    @property
    def port(self) -> int:
        return self.spec.settings.bridge_port or 40_000

    @property
    def connections(self) -> int:
        return 0

    async def stop(self) -> None:
        self.stopped = True


@dataclass(slots=True)
class FakeChild:
    """A child that was requested. It is ready once it was started."""

    spec: api.ChildSpec
    probe: api.Probe
    running: bool = False
    starts: int = 0

    async def start(self) -> None:
        self.running = True
        self.starts += 1

    async def stop(self) -> None:
        self.running = False

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def reconfigure(self, spec: api.ChildSpec) -> bool:
        return spec == self.spec

    def status(self) -> api.ServiceStatus:
        return api.ServiceStatus(state="ready" if self.running else "stopped", ok=self.running)

    def unavailable(self) -> api.Unavailable | None:
        return None if self.running else api.Unavailable(reason=f"{self.spec.name} is not running")


@dataclass(slots=True, kw_only=True)
class FakeHost:
    """Implements every context of the interface. ``responses`` are by URL; every other URL is unreachable."""

    state_dir: Path
    config: BaseModel = field(default_factory=api.PluginConfig)
    config_file: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[str, api.FetchResponse] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    gateway_url: str = "http://127.0.0.1:18789"
    request_error: str | None = None
    instance: str = "0123456789ab"
    problems: Sequence[str] = ()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("clawgate.testing.plugin"))
    requests: list[api.FetchRequest] = field(default_factory=list)
    relays: list[FakeRelay] = field(default_factory=list)
    children: list[FakeChild] = field(default_factory=list)
    services: Sequence[api.ServiceStatus] = ()
    service_restarts: int = 0
    printed: list[str] = field(default_factory=list)
    printed_errors: list[str] = field(default_factory=list)

    @property
    def out(self) -> Callable[[str], None]:
        return self.printed.append

    @property
    def err(self) -> Callable[[str], None]:
        return self.printed_errors.append

    async def restart_services(self) -> bool:
        self.service_restarts += 1
        return True

    async def fetch(self, request: api.FetchRequest) -> api.FetchResponse:
        self.requests.append(request)
        if request.url in self.responses:
            return self.responses[request.url]
        raise api.FetchFailed("unreachable", f"nothing listens at {request.url}")

    async def serve_relay(self, spec: api.RelaySpec) -> FakeRelay:
        self.relays.append(FakeRelay(spec))
        return self.relays[-1]

    def supervise(self, spec: api.ChildSpec, probe: api.Probe) -> FakeChild:
        self.children.append(FakeChild(spec, probe))
        return self.children[-1]


@dataclass(slots=True)
class FakeSetup:
    """What a provider gets during setup; ``config`` is the config file."""

    host: FakeHost
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.host.environment

    async def fetch(self, request: api.FetchRequest) -> api.FetchResponse:
        return await self.host.fetch(request)


def tool_call(name: str, **arguments: Any) -> api.ToolCall:
    """Return a call of a tool, as a model makes it."""
    return api.ToolCall(id="call_0", name=name, arguments=arguments, agent="main", session="0123456789abcdef")
