"""A program that behaves like the Claude proxies as they were measured, with every form in which they fail.

Stands alone, so that it can be a ``command`` of the plugin: ``python stand_in.py --kind new``. The kinds: ``new``
(@rynfar/meridian 1.43), ``old`` (opencode-claude-max-proxy 1.21), ``oldest`` (1.0 to 1.4: no /health), ``openai``
(claude-max-api-proxy 1.0). A model named ``fault-<name>`` gets that failure, see `FAULTS`; for ``served-by-<name>`` the
response names the model ``<name>``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WRAPPED = "Claude Code returned an error result: API Error: "


def _api_error(status: int, kind: str, message: str) -> str:
    inner = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return f"{WRAPPED}{status} {json.dumps(inner)}"


FAULTS: dict[str, tuple[int, str, str]] = {
    "400": (500, "api_error", _api_error(400, "invalid_request_error", "max_tokens: too many")),
    "403": (500, "api_error", _api_error(403, "permission_error", "not for you")),
    "404": (500, "api_error", _api_error(404, "not_found_error", "model: claude-opus-4.6")),
    "key": (500, "api_error", "Claude Code returned an error result: Invalid API key · Fix external API key"),
    "login": (
        401,
        "authentication_error",
        "Claude OAuth token has expired and could not be refreshed automatically. Run 'claude login' to log in.",
    ),
    "429": (429, "rate_limit_error", "Claude Max rate limit reached. Wait a moment and try again."),
    "500": (502, "api_error", "Claude API returned a server error. Try again in a moment."),
    "529": (503, "overloaded_error", "Claude is overloaded. Try again in a moment."),
    "turns": (500, "api_error", "Claude Code returned an error result: Reached maximum number of turns (1)"),
}
"""What the proxy makes of a failure: status, type and message. In a stream the status is 200 already."""

STREAM_FAULTS = ("cut", "killed", "late", "pings", "html", "empty", "half")
"""late: in mid-answer, told behind an end_turn and a message_stop (read in opencode-claude-max-proxy)."""
PAGE = b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"

HEALTH: dict[str, tuple[int, dict[str, Any]]] = {
    "healthy": (200, {"status": "healthy", "auth": {"loggedIn": True}}),
    "degraded": (200, {"status": "degraded", "error": "Could not verify auth status"}),
    "unhealthy": (
        503,
        {"status": "unhealthy", "error": "Not logged in. Run: claude login", "auth": {"loggedIn": False}},
    ),
}


def sse(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data, separators=(',', ':'))}\n\n".encode()


def error_body(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def events(model: str, fault: str) -> Iterator[bytes]:
    """The stream of an answer that says "pong", or as far as the fault lets it come."""
    if fault == "empty":
        return
    if fault in FAULTS:
        _, kind, said = FAULTS[fault]
        yield sse("error", {"error": {"type": kind, "message": said}})
        return
    usage = {"input_tokens": 5, "output_tokens": 0}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
    }
    yield sse("message_start", {"message": message | {"stop_reason": None, "usage": usage}})
    yield sse("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    yield sse("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "po"}})
    if fault == "half":
        return
    if fault in ("cut", "killed"):
        yield sse("message_stop", {})
        if fault == "killed":
            told = "Claude Code process terminated by signal SIGKILL"
            yield sse("error", {"error": {"type": "api_error", "message": told}})
        return
    if fault == "late":
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        yield sse("message_delta", {"delta": delta, "usage": {"output_tokens": 0}})
        yield sse("message_stop", {})
        told = "Claude is temporarily overloaded. Try again in a few seconds."
        yield sse("error", {"error": {"type": "overloaded_error", "message": told}})
        return
    yield sse("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "ng"}})
    yield sse("content_block_stop", {"index": 0})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield sse("message_delta", {"delta": delta, "usage": {"output_tokens": 2}})
    yield sse("message_stop", {})


class Proxy(BaseHTTPRequestHandler):
    """One connection. The settings are the server's."""

    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_GET(self) -> None:
        kind, path = self.server.kind, self.path.partition("?")[0]
        if path == "/health":
            self._health(kind)
        elif path == "/" and kind != "openai":
            self._json(
                200, {"status": "ok", "service": "claude-max-proxy", "format": "anthropic", "endpoints": []}
            )
        elif path == "/v1/models" and kind in ("new", "openai"):
            if self._authorized():
                ids = ("claude-sonnet-4-6", "claude-opus-4-6", "claude-haiku-4-5")
                self._json(200, {"object": "list", "data": [{"id": one, "object": "model"} for one in ids]})
        else:
            self._bytes(404, b"404 Not Found", "text/plain")

    def _health(self, kind: str) -> None:
        if self.server.health == "html":
            self._bytes(200, PAGE, "text/html")
        elif kind == "oldest":
            self._bytes(404, b"404 Not Found", "text/plain")
        elif kind == "openai":
            self._json(
                200, {"status": "ok", "provider": "claude-code-cli", "timestamp": "2026-11-20T00:00:00Z"}
            )
        else:
            status, body = HEALTH[self.server.health]
            mode = {"mode": self.server.mode} if self.server.health != "unhealthy" else {}
            self._json(status, body | mode | ({"version": "1.43.0"} if kind == "new" else {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
        self.server.note(self.path, dict(self.headers.items()), body)
        if self.path != "/v1/messages" or self.server.kind == "openai":
            self._bytes(404, b"404 Not Found", "text/plain")
        elif self._authorized():
            self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        model = str(body.get("model", ""))
        fault = model.removeprefix("fault-") if model.startswith("fault-") else ""
        if self.server.kind == "new" and "opus" in model and ("." in model or model.endswith("-thinking")):
            fault = "404"
        model = model.removeprefix("served-by-")
        if fault == "html":
            self._bytes(200, PAGE, "text/html")
        elif body.get("stream", self.server.kind != "new"):
            self._stream(model, fault)
        elif fault in FAULTS:
            status, kind, said = FAULTS[fault]
            self._json(status, error_body(kind, said))
        elif fault == "empty":
            self._bytes(200, b"", "application/json")
        else:
            content = [{"type": "text", "text": "pong"}]
            usage = {"input_tokens": 5, "output_tokens": 2}
            message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
            message["usage"] = usage
            self._json(200, message | {"content": content, "stop_reason": "end_turn", "stop_sequence": None})

    def _stream(self, model: str, fault: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if fault == "pings":
            while not self.server.over.wait(0.05):
                self._chunk(b": ping\n\n")
        for event in events(model, fault):
            self._chunk(event)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _authorized(self) -> bool:
        key = os.environ.get("MERIDIAN_API_KEY", "")
        given = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.server.kind != "new" or not key or given == key:
            return True
        self._json(401, error_body("authentication_error", "Invalid or missing API key"))
        return False

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._bytes(status, json.dumps(body).encode(), "application/json")

    def _bytes(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class StandIn(ThreadingHTTPServer):
    """Listens at once. ``record``: a file that gets one line of JSON for each POST."""

    daemon_threads = True

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        kind: str = "new",
        health: str = "healthy",
        record: str = "",
        mode: str = "passthrough",
    ) -> None:
        self.kind, self.health, self.record, self.mode = kind, health, record, mode
        self.requests: list[dict[str, Any]] = []
        self.over = threading.Event()
        super().__init__((host, port), Proxy)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def note(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        found = {
            "path": path,
            "headers": {name.lower(): value for name, value in headers.items()},
            "body": body,
        }
        self.requests.append(found)
        if self.record:
            with Path(self.record).open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="new", choices=["new", "old", "oldest", "openai"])
    parser.add_argument("--health", default="healthy", choices=[*HEALTH, "html"])
    parser.add_argument("--record", default="")
    parser.add_argument("--environment", default="", help="a file that gets the environment as JSON")
    parser.add_argument("port", nargs="?", type=int)
    given = parser.parse_args()
    prefixes = ["MERIDIAN", "CLAUDE_PROXY"] if given.kind == "new" else ["CLAUDE_PROXY"]
    said = next((os.environ[f"{one}_PORT"] for one in prefixes if f"{one}_PORT" in os.environ), "3456")
    host = next((os.environ[f"{one}_HOST"] for one in prefixes if f"{one}_HOST" in os.environ), "127.0.0.1")
    if given.environment:
        Path(given.environment).write_text(json.dumps(dict(os.environ)), encoding="utf-8")
    port = given.port if given.kind == "openai" and given.port is not None else int(said)
    try:
        is_passthrough = any(os.environ.get(f"{one}_PASSTHROUGH") == "1" for one in prefixes)
        mode = "passthrough" if is_passthrough else "internal"
        server = StandIn(
            host=host, port=port, kind=given.kind, health=given.health, record=given.record, mode=mode
        )
    except OSError:
        sys.stderr.write(f"Error: Port {port} is already in use.\n")
        raise SystemExit(1) from None
    sys.stdout.write(f"Meridian running at http://{host}:{port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
