"""What does a plugin see, where there is no gateway? A host that listens nowhere, starts nothing and dials nobody.

For the conformance kit and for the tests of plugin authors: answers to `fetch` are given beforehand, everything else is
written down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clawgate.plugins.api import (
    ChildSpec,
    FetchFailed,
    FetchRequest,
    FetchResponse,
    PluginConfig,
    Probe,
    RelaySpec,
    ServiceStatus,
    Unavailable,
)


@dataclass(slots=True)
class FakeRelay:
    """A relay that was asked for."""

    plan: RelaySpec
    stopped: bool = False

    @property
    def host(self) -> str:
        return self.plan.host

    @property
    def port(self) -> int:
        return self.plan.port or 40_000

    @property
    def requests(self) -> int:
        return 0

    async def stop(self) -> None:
        self.stopped = True


@dataclass(slots=True)
class FakeChild:
    """A child that was asked for. It is ready once it was started."""

    plan: ChildSpec
    probe: Probe
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

    def status(self) -> ServiceStatus:
        return ServiceStatus(state="ready" if self.running else "stopped", ok=self.running)

    def unavailable(self) -> Unavailable | None:
        return None if self.running else Unavailable(reason=f"{self.plan.name} is not running")


@dataclass(slots=True, kw_only=True)
class FakeHost:
    """Every context of the interface in one. ``answers``: by URL; whatever else is fetched is unreachable."""

    state_dir: Path
    config: BaseModel = field(default_factory=PluginConfig)
    config_file: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, FetchResponse] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    gateway_url: str = "http://127.0.0.1:18789"
    instance: str = "0123456789ab"
    problems: Sequence[str] = ()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("clawgate.testing.plugin"))
    fetched: list[FetchRequest] = field(default_factory=list)
    relays: list[FakeRelay] = field(default_factory=list)
    children: list[FakeChild] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)

    @property
    def out(self) -> Callable[[str], None]:
        return self.printed.append

    @property
    def err(self) -> Callable[[str], None]:
        return self.complained.append

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        self.fetched.append(plan)
        if plan.url in self.answers:
            return self.answers[plan.url]
        raise FetchFailed("unreachable", f"nothing listens at {plan.url}")

    async def serve_relay(self, plan: RelaySpec) -> FakeRelay:
        self.relays.append(FakeRelay(plan))
        return self.relays[-1]

    def supervise(self, plan: ChildSpec, probe: Probe) -> FakeChild:
        self.children.append(FakeChild(plan, probe))
        return self.children[-1]


@dataclass(slots=True)
class FakeSetup:
    """What a provider gets while it is set up; ``config`` is the config file."""

    host: FakeHost
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.host.environment

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        return await self.host.fetch(plan)
