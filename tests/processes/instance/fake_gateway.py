"""A gateway in a thread: it has a handshake, and responds to each request with the frames that a test gives it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

Frames = list[dict[str, Any]]
Script = Callable[[str, dict[str, Any]], Frames]
"""Returns the frames for a method and its params, without the ids."""

HELLO = {
    "type": "hello-ok",
    "protocol": 4,
    "server": {"version": "9.9"},
    "policy": {"tickIntervalMs": 30_000},
}
CHALLENGE = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}}
META = {"provider": "up", "model": "m", "usage": {"input": 11, "output": 5, "cacheRead": 3, "total": 16}}


def ok(payload: Any) -> dict[str, Any]:
    return {"type": "res", "ok": True, "payload": payload}


def failure(message: str, kind: str = "INVALID_REQUEST", **details: Any) -> dict[str, Any]:
    error = {"code": kind, "message": message, **({"details": details} if details else {})}
    return {"type": "res", "ok": False, "error": error}


def closes(code: int, reason: str = "") -> dict[str, Any]:
    return {"close": code, "reason": reason}


def run_event(stream: str, **data: Any) -> dict[str, Any]:
    payload = {"runId": "RUN", "seq": 1, "stream": stream, "ts": 1, "data": data}
    return {"type": "event", "event": "agent", "payload": payload}


def accepted() -> dict[str, Any]:
    return ok({"status": "accepted", "sessionKey": "agent:main:a#b", "agentId": "main"})


def texts(*pieces: str) -> Frames:
    """The events of a text that comes in ``pieces``."""
    return [
        run_event("assistant", delta=piece, text="".join(pieces[: number + 1]))
        for number, piece in enumerate(pieces)
    ]


def result(text: str) -> dict[str, Any]:
    payload = {"status": "ok", "result": {"payloads": [{"text": text}], "meta": {"agentMeta": META}}}
    return ok(payload)


def reply(*pieces: str) -> Frames:
    return [accepted(), *texts(*pieces), result("".join(pieces))]


class FakeGateway:
    """``requests`` are methods with their params; ``scripts`` are what `agent` gets, the last one again and again.

    ``others`` responds to other methods. ``welcome`` is the response to `connect`, ``first`` the frame before it.
    """

    def __init__(
        self,
        *scripts: Frames,
        others: Script = lambda method, params: [ok({})],
        welcome: dict[str, Any] | None = None,
        first: str = json.dumps(CHALLENGE),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.paths: list[str] = []
        self._scripts = list(scripts)
        self._others = others
        self._welcome = welcome or ok(HELLO)
        self._first = first
        self._server = serve(self._serve, "127.0.0.1", 0, ssl=tls)
        self._scheme = "wss" if tls is not None else "ws"
        self.port = int(self._server.socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def params(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.requests if name == method]

    def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        try:
            socket.send(self._first)
            for message in socket:
                request = json.loads(message)
                method, params = request["method"], request["params"]
                self.requests.append((method, params))
                for frame in self._frames(method, params):
                    if "close" in frame:
                        socket.close(frame["close"], frame["reason"])
                        return
                    text = json.dumps({"id": request["id"], **frame} if frame["type"] == "res" else frame)
                    socket.send(text.replace('"RUN"', json.dumps(params.get("idempotencyKey"))))
        except ConnectionClosed:
            pass

    def _frames(self, method: str, params: dict[str, Any]) -> Frames:
        if method == "connect":
            return [self._welcome]
        if method == "agent":
            return self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        return self._others(method, params)

    def __enter__(self) -> FakeGateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(120)
