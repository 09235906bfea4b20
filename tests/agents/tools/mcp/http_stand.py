"""An MCP server over HTTP, honest or hostile in one way, that records what it receives."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from uvicorn import Config, Server

TOOLS = [{"name": "echo", "description": "Returns its text.", "inputSchema": {"type": "object"}}]


class HttpServer:
    """Speaks protocol 2025-11-25; ``mode`` says what is odd about it."""

    def __init__(self, mode: str = "json") -> None:
        self.mode = mode
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.sessions = 0
        self.text = ""
        """What its tool returns, the session unless set."""
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part["more_body"]:
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        message = json.loads(body) if body else {}
        self.requests.append((f"{scope['method']} {scope['path']}", headers, message))
        status, more, answer = self._answer(scope, headers, message)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in more.items()],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def _answer(
        self, scope: Any, headers: dict[str, str], message: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        method = message.get("method", "")
        if self.mode == "unauthorized":
            return 401, {}, b""
        if self.mode.startswith("redirect:"):
            return 307, {"location": self.mode.removeprefix("redirect:")}, b""
        if self.mode == "slash" and scope["path"] == "/mcp":
            return 307, {"location": "/mcp/"}, b""
        if scope["method"] != "POST":
            return 405, {}, b""
        if "id" not in message:
            return 202, {}, b""
        more = {"content-type": "application/json", "set-cookie": "track=me"}
        if method == "initialize":
            self.sessions += 1
            more["mcp-session-id"] = f"s{self.sessions}"
            return 200, more, self._json(message, _INITIALIZED)
        if method == "tools/list":
            return 200, more, self._json(message, {"tools": TOOLS})
        if method != "tools/call":
            return 404, {}, b""
        return self._call(headers, message, more)

    def _call(
        self, headers: dict[str, str], message: dict[str, Any], more: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        result: dict[str, Any] = {
            "content": [{"type": "text", "text": self.text or f"session {headers['mcp-session-id']}"}]
        }
        match self.mode:
            case "events":
                data = f"event: message\ndata: {self._json(message, result).decode()}\n\n"
                return 200, {"content-type": "text/event-stream"}, data.encode()
            case "forgets" if headers["mcp-session-id"] == "s1":
                return 404, {}, b""
            case "huge":
                return 200, more, b"x" * 5_000_000
            case "huge-event":
                return 200, {"content-type": "text/event-stream"}, b"data: " + b"x" * 5_000_000
            case "values":
                return (
                    200,
                    more,
                    self._json(message, {"content": [], "structuredContent": {"a": [1] * 30_000}}),
                )
            case "not-a-number":
                return 200, more, self._json(message, {**result, "_meta": {"x": float("nan")}})
            case "utf-7":
                hidden = self._json(message, result).replace(b"{", b"+AHs-").replace(b"}", b"+AH0-")
                return 200, {"content-type": "text/event-stream; charset=utf-7"}, b"data: " + hidden + b"\n\n"
            case "compressed":
                return 200, {**more, "content-encoding": "gzip"}, b"\x1f\x8b" + b"\0" * 100
        return 200, more, self._json(message, result)

    def _json(self, message: dict[str, Any], result: dict[str, Any]) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


_INITIALIZED = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "scripted", "version": "1"},
}


class _App(Protocol):
    port: int

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


@asynccontextmanager
async def serving(mode: str = "json") -> AsyncIterator[HttpServer]:
    """Yield a server that listens on a port of loopback."""
    app = HttpServer(mode)
    async with listening(app):
        yield app


@asynccontextmanager
async def listening(app: _App) -> AsyncIterator[None]:
    listener = socket.create_server(("127.0.0.1", 0))
    app.port = listener.getsockname()[1]
    server = Server(Config(app, log_level="critical", lifespan="off", loop="asyncio", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))  # signals stay those of the test
    thread.start()
    try:
        while not server.started:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.to_thread(thread.join)
