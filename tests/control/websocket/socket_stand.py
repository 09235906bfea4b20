"""A client of the protocol on a real WebSocket, as a person would write one, for gateways that tests serve."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from tests.e2e.stand import PATIENCE
from tests.routing.gateway_server import CLIENT_TOKEN

SCOPES = ("operator.read", "operator.write", "operator.admin")


@dataclass
class SocketClient:
    """``frames`` has every frame in either direction, as ``(sent, frame)``."""

    wire: ClientConnection
    frames: list[tuple[bool, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    hello: dict[str, Any] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def receive(self) -> Any:
        """The next frame."""
        frame = json.loads(await self.wire.recv())
        self.frames.append((False, frame))
        if frame["type"] == "event":
            self.events.append(frame)
        return frame

    async def send(self, frame: dict[str, Any]) -> None:
        self.frames.append((True, frame))
        await self.wire.send(json.dumps(frame))

    async def begin(self, method: str, params: object = None, **more: Any) -> str:
        """Send a request and return its id."""
        frame = {"type": "req", "id": str(next(self._ids)), "method": method, **more}
        await self.send(frame if params is None else {**frame, "params": params})
        return str(frame["id"])

    async def response(self, id: str) -> Any:  # noqa: A002
        """The next response with this id; events on the way are kept."""
        async with asyncio.timeout(PATIENCE):
            while (frame := await self.receive()).get("id") != id:
                pass
        return frame

    async def call(self, method: str, params: object = None, **more: Any) -> Any:
        """The payload of a response that is ok."""
        frame = await self.response(await self.begin(method, params, **more))
        assert frame["ok"], frame
        return frame["payload"]

    async def error(self, method: str, params: object = None) -> Any:
        frame = await self.response(await self.begin(method, params))
        assert not frame["ok"], frame
        return frame["error"]

    async def event(self, name: str, **wanted: Any) -> Any:
        """The payload of the next event of this name with these members, those that came before included."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.events:
                    if frame["event"] == name and wanted.items() <= frame["payload"].items():
                        self.events.remove(frame)
                        return frame["payload"]
                await self.receive()

    async def closed(self) -> tuple[int, str]:
        """Read until the end; the code and the reason of the gateway's close frame."""
        async with asyncio.timeout(PATIENCE):  # which ticks do not prolong
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.receive()
        assert self.wire.close_code is not None, "it is still open"
        return self.wire.close_code, self.wire.close_reason or ""


def params(token: str | None = CLIENT_TOKEN, scopes: Sequence[str] = SCOPES, **over: Any) -> dict[str, Any]:
    return {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "version": "1.0.0", "platform": "linux", "mode": "backend"},
        "role": "operator",
        "scopes": list(scopes),
        "caps": ["tool-events"],
        **({"auth": {"token": token}} if token is not None else {}),
        **over,
    }


@contextlib.asynccontextmanager
async def opened(url: str, headers: Iterable[tuple[str, str]] = ()) -> AsyncIterator[SocketClient]:
    """A WebSocket at ``url`` of which only the challenge was read."""
    address = url.replace("http://", "ws://")
    async with open_socket(
        address, compression=None, max_size=None, additional_headers=list(headers)
    ) as wire:
        client = SocketClient(wire)
        await client.receive()
        yield client


@contextlib.asynccontextmanager
async def connected(
    url: str, *, headers: dict[str, str] | Sequence[tuple[str, str]] = (), **over: Any
) -> AsyncIterator[SocketClient]:
    async with opened(url, headers.items() if isinstance(headers, dict) else headers) as client:
        client.hello = await client.call("connect", params(**over))
        yield client
