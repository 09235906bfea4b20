"""A small host for the plugin in tests: the gateway's own relay and its own small requests, without a gateway."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clawgate.app.plugins import relay as relays
from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.plugins import api
from clawgate.relay.upstream.dial import Dialer

TOKEN = "remote-5Tq8ZnXv2LrWd7KbYs4H"
LOCAL_TOKEN = "local-3Gm7QwXz9NcVt5HrPb2K"
INSTANCE = "0a1b2c3d4e5f"


@dataclass
class Host:
    """Every context of the interface; ``requests`` are those that were fetched, ``services`` is of the gateway."""

    state_dir: Path
    config: Any = None
    environment: Mapping[str, str] = field(default_factory=dict)
    gateway_url: str = "http://127.0.0.1:18789"
    request_error: str | None = None
    instance: str = INSTANCE
    problems: tuple[str, ...] = ()
    config_file: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("test.proxy-bridge"))
    services: tuple[api.ServiceStatus, ...] = ()
    requests: list[api.FetchRequest] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)

    def out(self, line: str) -> None:
        self.printed.append(line)

    def err(self, line: str) -> None:
        self.complained.append(line)

    async def restart_services(self) -> bool:
        return True

    async def fetch(self, plan: api.FetchRequest) -> api.FetchResponse:
        self.requests.append(plan)
        return await fetch_for_plugin(plan, Dialer(), requester="plugin:test")

    async def serve_relay(self, plan: api.RelaySpec) -> api.RunningRelay:
        return await relays.serve_relay(plan, Dialer(), instance=self.instance)

    def supervise(self, plan: api.ChildSpec, probe: api.Probe) -> api.ChildHandle:
        raise NotImplementedError


class Down(Host):
    """The same, while no gateway runs."""

    gateway_url: Any = None
    instance: Any = None

    def __init__(self, state_dir: Path, config: Any) -> None:
        super().__init__(state_dir, config, gateway_url=None, instance=None)  # type: ignore[arg-type]  # as a command sees it


def bridge(port: int, url: str, **more: Any) -> api.BridgeSettings:
    settings = {"remoteUrl": url, "proxyToken": TOKEN, "bridgePort": port, **more}
    return api.BridgeSettings.model_validate(settings)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Remote

    def do_GET(self) -> None:
        self._note()
        if self.server.answer is not None:
            self._send(*self.server.answer)
        elif self.headers.get("x-proxy-token") != TOKEN:
            self._send(401, {"error": {"message": "no", "code": "invalid_token"}})
        elif self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": one} for one in ("gpt-4o", "gpt-4o-mini")]})
        else:
            self._send(404, {"error": {"message": "Not found"}})

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.headers.get("x-proxy-token") != TOKEN:
            self._send(401, {"error": {"message": "no", "code": "invalid_token"}})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for text in ("po", "ng"):
            part = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            said = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
            self.wfile.write(f"data: {json.dumps(said | {'choices': [part]})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _note(self) -> None:
        self.server.asked.append((self.path, {name.lower(): text for name, text in self.headers.items()}))

    def _send(self, status: int, body: object) -> None:
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html" if isinstance(body, bytes) else "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: Any) -> None:
        pass


class Remote(ThreadingHTTPServer):
    """A remote that takes `TOKEN`, or answers every GET with ``answer``; ``asked``: paths and headers."""

    daemon_threads = True

    def __init__(self, answer: tuple[int, object] | None = None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def remote(answer: tuple[int, object] | None = None) -> Iterator[Remote]:
    with Remote(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
