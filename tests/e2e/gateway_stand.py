"""A gateway in front of both built-in models, and the official clients of OpenAI and Anthropic for it.

It serves from a thread of this process, so that a test can ask its dialer and its counters; nothing of it is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from starlette.applications import Starlette

from clawgate.app.gateway import GatewayRole, build_gateway
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.upstream.dial import Dialer, DialRecord
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.openclaw.gateway import GatewayFlags
from demo.models import openai_server as model
from demo.models.anthropic_server import build_messages_model
from demo.models.openai_server import RecordedRequest, build_model
from tests.e2e.stand import PATIENCE
from tests.relay.recording_dialer import record_dials

GATEWAY_TOKEN = "gw-9Lr4TzXn2WqYd7KvBs6H"
"""What clients show to the gateway."""
CHAT_KEY = "sk-chat-8Vn3QwZr5TkXb2LmYd9P"
"""What the gateway shows to the model that speaks chat completions."""
CLAUDE_KEY = "sk-ant-4Jx7RtVq9NcWz3HfKp6M"
"""What the gateway shows to the model that speaks Anthropic's Messages."""
SECRETS = (GATEWAY_TOKEN, CHAT_KEY, CLAUDE_KEY)

CHAT, CLAUDE = "local-chat", "local-claude"
"""The providers."""


def provider(url: str, api: str, key: str, *models: str, **more: Any) -> dict[str, Any]:
    """One provider on loopback, as it stands in the file."""
    return {
        "baseUrl": url,
        "api": api,
        "apiKey": key,
        "request": {"allowPrivateNetwork": True},
        "models": [{"id": name, "name": name} for name in models],
        **more,
    }


def chat_provider(url: str, **more: Any) -> dict[str, Any]:
    """The provider that speaks chat completions, at ``url`` (without /v1)."""
    return provider(f"{url}/v1", "openai-completions", CHAT_KEY, "gpt-4o-mini", **more)


def claude_provider(url: str, **more: Any) -> dict[str, Any]:
    """The provider that speaks Anthropic's Messages, at ``url``."""
    return provider(url, "anthropic-messages", CLAUDE_KEY, "claude-demo", **more)


def config_of(providers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A whole config with these providers alone."""
    return {
        "gateway": {"auth": {"mode": "token", "token": GATEWAY_TOKEN}},
        "models": {"mode": "replace", "providers": dict(providers)},
        **more,
    }


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Put the config there, for the owner alone."""
    path.write_text(json.dumps(config))
    path.chmod(0o600)


@dataclass(slots=True)
class Gateway:
    """A gateway that is being served at ``url``; its config file is ``path``."""

    role: GatewayRole
    url: str
    path: Path
    dials: list[DialRecord]
    _loop: list[asyncio.AbstractEventLoop] = field(default_factory=list)

    def openai(self, *, key: str = GATEWAY_TOKEN, retries: int = 0, timeout: float = PATIENCE) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=retries, timeout=timeout)

    def async_openai(self, *, timeout: float = PATIENCE) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key=GATEWAY_TOKEN, max_retries=0, timeout=timeout)

    def anthropic(
        self, *, key: str = GATEWAY_TOKEN, retries: int = 0, timeout: float = PATIENCE
    ) -> Anthropic:
        return Anthropic(base_url=self.url, api_key=key, max_retries=retries, timeout=timeout)

    def async_anthropic(self, *, timeout: float = PATIENCE) -> AsyncAnthropic:
        return AsyncAnthropic(base_url=self.url, api_key=GATEWAY_TOKEN, max_retries=0, timeout=timeout)

    def on_loop(self, work: Callable[[], object]) -> None:
        """Do ``work`` where the gateway lives, and wait for it."""
        done = threading.Event()

        def do() -> None:
            work()
            done.set()

        self._loop[0].call_soon_threadsafe(do)
        assert done.wait(PATIENCE), "the gateway's loop did not come to it"

    def reconfigure(self, config: Mapping[str, Any] | str) -> None:
        """Write another config (or whatever text) into the file, and have the gateway look at it."""
        if isinstance(config, str):
            self.path.write_text(config)
        else:
            write_config(self.path, config)
        for _, chore in self.role.periodic_tasks:
            self.on_loop(chore)

    @property
    def dialled(self) -> list[tuple[str, int, str | None]]:
        """Host, port and address of each dial so far; the address is None where none was dialled."""
        return [(dial.origin.host, dial.origin.port, dial.dialled) for dial in self.dials]

    @property
    def quiet(self) -> bool:
        """Whether nobody is connected and no upstream connection is in use."""
        pools = [upstream.pool for upstream in list(self.role.router.upstreams)]
        return self.role.connections.connection_count == 0 and all(
            pool.open_count == pool.idle_count for pool in pools
        )


@contextlib.contextmanager
def serving_gateway(
    config: Mapping[str, Any], folder: Path, *, dialer: Dialer | None = None
) -> Iterator[Gateway]:
    """Serve a gateway with this config from a thread while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "openclaw.json"
    write_config(path, config)
    environment = {"HOME": str(folder), "OPENCLAW_STATE_DIR": str(folder)}
    file = read_config(path, environment, required=True)
    role = build_gateway(file, GatewayFlags(port=0), environment, instance="test", dialer=dialer)
    sockets = listen("127.0.0.1", 0)
    gateway = Gateway(
        role, f"http://127.0.0.1:{sockets[0].getsockname()[1]}", path, record_dials(role.dialer)
    )
    up = threading.Event()

    def on_started(host: Server) -> None:
        gateway._loop.append(asyncio.get_running_loop())
        for make_task in role.tasks:
            host.spawn_background(make_task())
        up.set()

    host = Server(role.connections, role.app, drain_seconds=0.0, on_started=on_started)
    thread = threading.Thread(target=host.run, kwargs={"sockets": sockets}, name="gateway")
    thread.start()
    try:
        assert up.wait(PATIENCE), "the gateway did not come up"
        yield gateway
    finally:
        host.stop()
        thread.join()


@dataclass(slots=True)
class Stand:
    """client -> gateway -> one of two models."""

    gateway: Gateway
    chat: Starlette
    claude: Starlette
    chat_url: str
    claude_url: str

    def seen(self, provider: str) -> list[RecordedRequest]:
        """The last requests that this provider's model got."""
        return list((self.chat if provider == CHAT else self.claude).state.seen)

    def last_body(self, provider: str) -> Any:
        """The body of the last one, decoded."""
        return json.loads(self.seen(provider)[-1].body)


@contextlib.contextmanager
def whole_stand(folder: Path, **more: Any) -> Iterator[Stand]:
    """Both models, each refusing every key but its own, and a gateway in front of them."""
    chat = build_model(api_key=CHAT_KEY, eager_tools=False)
    claude = build_messages_model(api_key=CLAUDE_KEY)
    with model.running(chat) as chat_url, model.running(claude) as claude_url:
        providers = {CHAT: chat_provider(chat_url), CLAUDE: claude_provider(claude_url)}
        with serving_gateway(config_of(providers, **more), folder) as gateway:
            yield Stand(gateway, chat, claude, chat_url, claude_url)
