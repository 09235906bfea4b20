"""A role served in this process: what a test stands between a scripted upstream and a raw client.

Nothing of the role is replaced; a test may give it another dialer or smaller limits. Whatever is waited for is
waited for with an upper bound, so that a failure is a sentence and not a hang.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Literal

import uvloop

from clawgate.app.bridge import build_bridge
from clawgate.app.role import RelayRole
from clawgate.app.server import build_server
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.response import Response

Kind = Literal["bridge", "server"]
KINDS: tuple[Kind, ...] = ("bridge", "server")

PROXY_TOKEN = "pt-7Hq2vXn4LrTz9KwBdYs5"
"""What the bridge shows to its remote."""
OPENAI_KEY = "sk-proj-u3Zr8mWc6QfXv1NbTj4K"
"""What the server shows to OpenAI."""
CLIENT_TOKEN = "ct-P5xGd8RwKq3ZnVb7TmJh"
"""What clients show to the server."""

BODY = b'{"model":"fake-model","messages":[{"role":"user","content":"hi"}]}'
PATH = "/v1/chat/completions"

PATIENCE = 60.0
"""Seconds after which something that should have happened has not: far beyond what a busy machine takes."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine on the event loop that serves in production."""
    uvloop.run(work)


async def until(
    ready: Callable[[], bool], what: str | Callable[[], object], within: float = PATIENCE
) -> None:
    """Return once ``ready()`` holds; a TimeoutError with ``what`` otherwise. For facts that nobody announces."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not ready():
        if loop.time() >= end:
            raise TimeoutError(f"not within {within} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(0.002)


async def arrived(request: Request, body: bytes) -> None:
    """Wait until the upstream has this much of the body."""
    await until(lambda: request.body == body, f"{len(body)} bytes to arrive")


def credential_of(kind: Kind) -> str:
    """The one secret that may leave a role."""
    return PROXY_TOKEN if kind == "bridge" else OPENAI_KEY


def build(kind: Kind, upstream_url: str, *, dialer: Dialer | None = None, **options: Any) -> RelayRole:
    """The role with its upstream at ``upstream_url`` (without /v1); ``options`` are settings by name."""
    if kind == "bridge":
        settings = {"remote_url": upstream_url, "proxy_token": PROXY_TOKEN, "bridge_port": 0, **options}
        return build_bridge(BridgeSettings.model_validate(settings), dialer=dialer)
    settings = {
        "base_url": f"{upstream_url}/v1",
        "openai_api_key": OPENAI_KEY,
        "proxy_token": CLIENT_TOKEN,
        "port": 0,
        "max_concurrent": 10_000,
        **options,
    }
    return build_server(ServerSettings.model_validate(settings), dialer=dialer)


@dataclass(slots=True)
class Stand:
    """A role that is being served at ``url``."""

    kind: Kind
    role: RelayRole
    host: Server
    url: str

    @property
    def connections(self) -> list[RelayProtocol]:
        """The open connections of clients."""
        return [each for each in self.role.connections._connections if isinstance(each, RelayProtocol)]

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What a client has to present."""
        return () if self.kind == "bridge" else (("Authorization", f"Bearer {CLIENT_TOKEN}"),)

    async def client(self, **options: Any) -> RawClient:
        """A new connection to the role."""
        return await RawClient.open(self.url, limit=PATIENCE, **options)

    async def ask(
        self,
        client: RawClient,
        body: bytes | None = BODY,
        *,
        target: str = PATH,
        method: str | None = None,
        fields: tuple[tuple[str, str], ...] = (),
        to_method: str = "GET",
    ) -> Response:
        """One admitted request on ``client`` and its whole answer."""
        await self.send(client, body, target=target, method=method, fields=fields)
        return await client.response(to_method=to_method)

    async def send(
        self,
        client: RawClient,
        body: bytes | None = BODY,
        *,
        target: str = PATH,
        method: str | None = None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """One admitted request on ``client``."""
        await client.request(target, body, method=method, fields=(*self.fields, *fields))

    async def fresh(self, body: bytes | None = BODY, **options: Any) -> Response:
        """`ask` on a connection of its own, which is closed behind it."""
        async with await self.client() as client:
            return await self.ask(client, body, **options)

    @property
    def running(self) -> int:
        """How many requests the role counts as under way (the server; the bridge does not count)."""
        rates = self.role.connections.admission.rates
        return 0 if rates is None else rates.in_flight("default")

    async def all_quiet(self, *, kept: int | None = None) -> None:
        """Nobody is connected, nothing is under way, no upstream connection is in use; ``kept`` of them are idle."""
        connections, pool = self.role.connections, self.role.upstream.pool

        def quiet() -> bool:
            return (
                connections.connection_count == 0
                and self.running == 0
                and pool.open_count == pool.idle_count
                and (kept is None or pool.open_count == kept)
            )

        await until(
            quiet, lambda: f"{connections.connection_count} clients, {self.running} running, {pool!r}"
        )


@contextlib.asynccontextmanager
async def serving(
    kind: Kind,
    upstream_url: str,
    *,
    dialer: Dialer | None = None,
    client_limits: dict[str, Any] | None = None,
    role: RelayRole | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> AsyncIterator[Stand]:
    """Serve a role on a free port while the context lasts. ``client_limits`` replaces fields of its `ClientLimits`.

    With a ``clock`` time passes, and limits are checked, only where the test says so.
    """
    role = role or build(kind, upstream_url, dialer=dialer, **options)
    role.connections._clock = clock
    if client_limits:
        role.connections.limits = replace(role.connections.limits, **client_limits)
    host = Server(role.connections, role.app, drain_seconds=0.0, tls=role.tls)
    host.config.load()
    host.lifespan = host.config.lifespan_class(host.config)
    sockets = listen("127.0.0.1", 0)
    scheme = "https" if role.tls else "http"
    url = f"{scheme}://127.0.0.1:{sockets[0].getsockname()[1]}"
    await host.startup(sockets)
    try:
        yield Stand(kind, role, host, url)
    finally:
        await host.shutdown(sockets)
