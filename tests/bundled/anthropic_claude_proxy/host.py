"""A small host for the plugin in tests: real children under the real supervisor, small requests over plain sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawgate.plugins import api
from tests.processes.supervised import AnnouncingSupervisor

STAND_IN = Path(__file__).with_name("stand_in.py")


def command(*arguments: str) -> list[str]:
    """The stand-in as a command of the plugin."""
    return [sys.executable, "-I", "-S", str(STAND_IN), *arguments]


async def fetch(request: api.FetchRequest) -> api.FetchResponse:
    """As the host's own, without its limits and its judgement of addresses."""
    place, _, path = request.url.removeprefix("http://").partition("/")
    host, _, port = place.rpartition(":")
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    if request.secret is not None and request.header:
        lines.append(f"{request.header}: {request.secret.get_secret_value()}")
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:
        raise api.FetchFailed("unreachable", f"nobody listens at {host}:{port}") from error
    try:
        head = "\r\n".join([f"GET /{path} HTTP/1.1", f"host: {place}", "connection: close", *lines])
        writer.write(f"{head}\r\n\r\n".encode())
        async with asyncio.timeout(120):
            answer = await reader.read()
    except OSError as error:
        raise api.FetchFailed("unreachable", "it broke off") from error
    finally:
        writer.close()
    first, _, body = answer.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.") or not first[9:12].isdigit():
        raise api.FetchFailed("malformed", "what answers speaks no HTTP")
    return api.FetchResponse(status=int(first[9:12]), body=body)


@dataclass
class Host:
    """A `ServiceContext`. ``specs`` are those of the children that were requested."""

    config: Any
    state_dir: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    gateway_url: str = "http://127.0.0.1:18789"
    instance: str = "instance-1"
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("test.anthropic-claude-proxy"))
    specs: list[api.ChildSpec] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve_relay(self, spec: api.RelaySpec) -> api.RunningRelay:
        raise NotImplementedError

    async def fetch(self, request: api.FetchRequest) -> api.FetchResponse:
        return await fetch(request)

    def supervise(
        self, spec: api.ChildSpec, probe: Callable[[], Awaitable[api.ProbeResult]]
    ) -> api.ChildHandle:
        self.specs.append(spec)

        supervisor = AnnouncingSupervisor(
            spec, clock=asyncio.get_running_loop().time, probe=probe, random=lambda: 0.5, log=self.log
        )
        supervisor.note = lambda status: self.changed.set()
        return supervisor

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a change after which that is so."""
        while not holds():
            await self.changed.wait()
            self.changed.clear()


@dataclass
class Setup:
    """A `SetupContext`; ``fetched`` are the addresses that were asked."""

    environment: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    async def fetch(self, request: api.FetchRequest) -> api.FetchResponse:
        self.fetched.append(request.url)
        return await fetch(request)
