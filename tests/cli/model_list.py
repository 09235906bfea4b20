"""A server on loopback, in a thread, that lists its models for the right Bearer token."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ModelList:
    def __init__(self, key: str, *, tls: ssl.SSLContext | None = None) -> None:
        outer = self
        self.asked = 0
        self.models = ["qwen", "llama"]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_list = self.path == "/v1/models"
                outer.asked += is_list
                known = self.headers.get("Authorization") == f"Bearer {key}"
                said = (
                    {"data": [{"id": one} for one in outer.models]}
                    if known and is_list
                    else {"error": {"message": "no"}}
                )
                body = json.dumps(said).encode()
                self.send_response(401 if not known else 200 if is_list else 405)
                if not known:
                    self.send_header("WWW-Authenticate", "Bearer")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the library has it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls is not None else ''}://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(120)
        self._server.server_close()
