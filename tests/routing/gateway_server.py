"""A gateway served in this process from a real config file: between raw clients and scripted providers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawgate.app.gateway import GatewayRole, build_gateway
from clawgate.app.gateway_switches import MakeAgents
from clawgate.policy.timeouts import TimeLimits
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream
from clawgate.settings.environment import named_environment
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.openclaw.gateway import GatewayFlags
from tests.e2e.stand import PATIENCE, until
from tests.peers.client import RawClient
from tests.peers.response import Response

CLIENT_TOKEN = "gt-CLIENTSECRET-Zk3vN8pQ1rXw"
"""What clients show to the gateway."""
KEY = "pk-UPSTREAMSECRET-7Hq2vXn4LrTz"
"""What the gateway shows to a provider; one for each, with its name behind."""
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
OPENAI, ANTHROPIC = "openai-completions", "anthropic-messages"


def provider(url: str, api: str = OPENAI, *, name: str = "", **more: Any) -> dict[str, Any]:
    """A provider's block at ``url`` on this machine; ``more`` are further keys of it."""
    request = {"allowPrivateNetwork": True} | more.pop("request", {})
    return {"baseUrl": f"{url}/v1", "api": api, "apiKey": KEY + name, "request": request, **more}


def question(model: object, *, stream: bool = False, **more: Any) -> bytes:
    """A body that both dialects take."""
    said: dict[str, Any] = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps(said | ({"stream": True} if stream else {}) | more).encode()


@dataclass(slots=True)
class GatewayStand:
    """A gateway that is being served at ``url`` by the config file ``config``."""

    role: GatewayRole
    host: Server
    url: str
    config: Path
    learned: list[str] = field(default_factory=list)

    async def client(self, **options: Any) -> RawClient:
        return await RawClient.open(self.url, limit=PATIENCE, **options)

    async def send(
        self,
        client: RawClient,
        body: bytes | None,
        *more: tuple[str, str],
        target: str = CHAT,
        token: str | None = CLIENT_TOKEN,
    ) -> None:
        fields = (("Authorization", f"Bearer {token}"),) if token is not None else ()
        await client.request(target, body, fields=(*fields, *more))

    async def ask(
        self,
        body: bytes | None,
        *more: tuple[str, str],
        target: str = CHAT,
        token: str | None = CLIENT_TOKEN,
        client: RawClient | None = None,
    ) -> Response:
        """One request and its whole answer, on a connection of its own unless ``client`` is given."""
        if client is not None:
            await self.send(client, body, *more, target=target, token=token)
            return await client.response()
        async with await self.client() as fresh:
            return await self.ask(body, *more, target=target, token=token, client=fresh)

    def rewrite(self, config: Mapping[str, Any]) -> None:
        """Change the config file and have the gateway look at it."""
        write(self.config, config)
        for _, chore in self.role.periodic_tasks:
            chore()

    def upstream(self, name: str) -> Upstream:
        """The connections of the provider ``name`` as it is configured now."""
        direct = self.role.router
        return direct.connect(direct.catalog.providers[name]).upstream

    def limit(self, name: str, **limits: float) -> None:
        """Time limits of a provider in tenths of seconds, which no config file can say."""
        self.upstream(name).limits = TimeLimits(**limits)

    async def quiet(self) -> None:
        """Nobody is connected and no provider's connection is in use."""
        connections, upstreams = self.role.connections, self.role.router.upstreams
        await until(
            lambda: (
                connections.connection_count == 0
                and all(upstream.pool.open_count == upstream.pool.idle_count for upstream in upstreams)
            ),
            lambda: f"{connections.connection_count} clients, {[upstream.pool for upstream in upstreams]}",
        )


_ticks = iter(range(1_700_000_000, 2_000_000_000))


def write(path: Path, config: Mapping[str, Any] | str) -> Path:
    """Make the file say this, in one step and with a time of its own."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(0o600)
    fresh.write_text(config if isinstance(config, str) else json.dumps(config))
    tick = next(_ticks)
    os.utime(fresh, (tick, tick))
    fresh.replace(path)
    return path


def config_of(
    providers: Mapping[str, Any],
    *,
    primary: str | None = None,
    fallbacks: tuple[str, ...] = (),
    aliases: Mapping[str, str] | None = None,
    gateway: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A whole config; ``aliases`` from the alias to provider/model, ``gateway`` beside the token."""
    defaults: dict[str, Any] = {
        "model": {"primary": primary, "fallbacks": list(fallbacks)} if primary else {}
    }
    defaults["models"] = {ref: {"alias": alias} for alias, ref in (aliases or {}).items()}
    auth = {"auth": {"mode": "token", "token": CLIENT_TOKEN}}
    return {
        "gateway": {"port": 0, **auth, **(gateway or {})},
        "models": {"mode": "replace", "providers": dict(providers)},
        "agents": {"defaults": defaults},
    }


def own_config(config: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """``config`` with settings that OpenClaw has no key for."""
    return config | {"plugins": {"entries": {"clawgate": {"config": settings}}}}


def agents_on(config: dict[str, Any], *, on: bool = True, responses: bool = False) -> dict[str, Any]:
    """``config`` with agents switched on."""
    endpoints = {"chatCompletions": {"enabled": on}, "responses": {"enabled": responses}}
    switch = {"http": {"endpoints": endpoints}}
    return config | {"gateway": config["gateway"] | switch}


COMMAND_KEY = "test-key"
"""What commands present."""


@contextlib.asynccontextmanager
async def serving_gateway(
    folder: Path,
    config: Mapping[str, Any],
    *,
    dialer: Dialer | None = None,
    verbose: bool = False,
    environment: Mapping[str, str] | None = None,
    env_file: str | None = None,
    make_agents: MakeAgents | None = None,
) -> AsyncIterator[GatewayStand]:
    """Serve ``config`` on a free port while the context lasts; ``folder`` gets its file."""
    path = write(folder / "openclaw.json", config)
    own = {"HOME": str(folder), "OPENCLAW_STATE_DIR": str(folder)} | dict(environment or {})
    learned: list[str] = []
    role = build_gateway(
        read_config(path, named_environment(own, env_file), required=True),
        GatewayFlags(),
        own,
        instance="test-instance",
        key=COMMAND_KEY,
        env_file=env_file,
        verbose=verbose,
        dialer=dialer,
        add_secrets=learned.extend,
        make_agents=make_agents,
    )
    host = Server(role.connections, role.app, drain_seconds=0.0)
    host.config.load()
    host.lifespan = host.config.lifespan_class(host.config)
    sockets = listen("127.0.0.1", 0)
    await host.startup(sockets)
    try:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        yield GatewayStand(role, host, url, path, learned)
    finally:
        await host.shutdown(sockets)
        await role.agents.close()
