"""A gateway with agents, served in this process: between raw clients and a scripted model, with its own database."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawgate.state.records import StoredTurn
from clawgate.state.store import Store, open_store
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.e2e.stand import PATIENCE, until
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.faults import sse_response
from tests.peers.response import Response
from tests.peers.script import Script
from tests.peers.upstream import FakeUpstream, ScriptChoice
from tests.routing.gateway_server import (
    CLIENT_TOKEN,
    GatewayStand,
    agents_on,
    config_of,
    provider,
    serving_gateway,
)

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALLS_LOOK = sse_response(
    [call_of("look", '{"at":1}', id="call-up-1"), chunk_of(reason="tool_calls"), usage_of(5, 1), DONE]
)
"""A model that calls a tool of the client."""
BEHIND_PROXY: dict[str, Any] = {
    "trustedProxies": ["127.0.0.1"],
    "auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}},
}
"""The block ``gateway`` of one whose callers a proxy names."""
ANN, BOB = ((("X-Forwarded-For", "198.51.100.7"), ("x-user", name)) for name in ("ann", "bob"))


def says(*texts: str, prompt: int = 3, completion: int = 2) -> Script:
    """A model that streams these texts."""
    events = [chunk_of({"role": "assistant", "content": ""})]
    events += [chunk_of({"content": text}) for text in texts]
    return sse_response([*events, chunk_of(reason="stop"), usage_of(prompt, completion), DONE])


def echoes(request: Request) -> Script:
    """A model that repeats what the last message says, and how many messages it got."""
    messages = json.loads(request.body)["messages"]
    return says(f"{messages[-1]['content']}", f" ({len(messages)})")


def user(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def session(key: str) -> tuple[str, str]:
    return ("x-openclaw-session-key", key)


def chunks(response: Response) -> list[Any]:
    """The events of a stream that ended as it should."""
    *data, done = response.events()
    assert done == "[DONE]"
    return [json.loads(one) for one in data]


@dataclass(slots=True)
class AgentStand:
    gateway: GatewayStand
    model: FakeUpstream
    state: Path

    @property
    def sent(self) -> list[Any]:
        """What the model was sent, as messages."""
        return [json.loads(request.body)["messages"] for request in self.model.requests]

    async def ask(self, body: bytes, *headers: tuple[str, str], token: str | None = CLIENT_TOKEN) -> Response:
        return await self.gateway.ask(body, *headers, token=token)

    async def text(self, body: bytes, *headers: tuple[str, str]) -> str:
        """What the agent says, without a stream."""
        response = await self.ask(body, *headers)
        assert response.status == 200, response.body
        return str(response.json()["choices"][0]["message"]["content"])

    async def client(self) -> RawClient:
        return await self.gateway.client()

    async def turns(self, key: str) -> Sequence[StoredTurn]:
        """The turns of a session, once it has any."""
        async with self.store() as store, asyncio.timeout(PATIENCE):
            while (found := await store.session("token", key)) is None:  # noqa: ASYNC110  # another process would
                await asyncio.sleep(0.002)
            return found.turns

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """What is stored, read by another connection."""
        store = await open_store(self.state / "clawgate" / "state.db", clock=lambda: 0.0)
        try:
            yield store
        finally:
            await store.close()


def agent_config(url: str, **agents: Any) -> dict[str, Any]:
    """A config with agents on and the model ``up/m``; ``agents`` is the block of that name."""
    made = config_of(
        {"up": provider(url, models=[{"id": "m"}, {"id": "other", "reasoning": True}])}, primary="up/m"
    )
    for key, value in agents.items():
        made["agents"][key] = made["agents"].get(key, {}) | value if isinstance(value, dict) else value
    return agents_on(made, responses=True)


@contextlib.asynccontextmanager
async def serving_agents(
    folder: Path, *scripts: ScriptChoice, config: dict[str, Any] | None = None, **agents: Any
) -> AsyncIterator[AgentStand]:
    """Serve agents while the context lasts; ``config`` has further blocks of the file."""
    async with FakeUpstream(*(scripts or (echoes,))) as model:
        made = agent_config(model.url, **agents)
        for key, value in (config or {}).items():
            made[key] = made.get(key, {}) | value
        async with serving_gateway(folder, made) as gateway:
            tasks = [asyncio.create_task(make()) for make in gateway.role.tasks]
            await asyncio.sleep(0)
            try:
                yield AgentStand(gateway, model, folder)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def hold_and_leave(stand: AgentStand, *headers: tuple[str, str]) -> None:
    """Send a streaming request, get its first text, which is "half", and disconnect."""
    async with await stand.client() as client:
        await stand.gateway.send(client, user("hi", stream=True), *headers)
        await until(lambda: b"half" in client.received, "the first text")
