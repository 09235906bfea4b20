"""A remote proxy for the packages: it wants X-Proxy-Token or Bearer, lists one model, and streams one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "pt-9fKq2LmXz7RbWc4V"
MODEL = "fake-model"
WORDS = ("Hel", "lo from", " the remote")
REPLY = "".join(WORDS)


class Remote(ThreadingHTTPServer):
    """``status`` and ``words`` make the response to completions an error; ``seen`` are the headers of each of them."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status, self.words = 200, "out of order"
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Remote

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class has it
        """Print nothing."""

    def do_GET(self) -> None:
        if self._is_known():
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        if not self._is_known():
            return
        if self.server.status != 200:
            self._send(self.server.status, {"error": {"message": self.server.words, "type": "api_error"}})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for word in WORDS:
            self._event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, fields: dict[str, Any]) -> None:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, **fields}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def _is_known(self) -> bool:
        if TOKEN in (
            self.headers.get("x-proxy-token"),
            self.headers.get("authorization", "")[len("Bearer ") :],
        ):
            return True
        error = {"message": "wrong token", "type": "authentication_error", "code": "invalid_token"}
        self._send(401, {"error": error})
        return False

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve_remote(port: int = 0) -> Iterator[Remote]:
    with Remote(port) as remote:
        thread = threading.Thread(target=remote.serve_forever, daemon=True)
        thread.start()
        try:
            yield remote
        finally:
            remote.shutdown()
            thread.join()
