"""A model in a thread that responds with the bytes it was given, however they are cut, and keeps the requests."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
ROLE = {"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}
END = {"index": 0, "delta": {}, "finish_reason": "stop"}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 5,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def chunk(**fields: Any) -> bytes:
    """An event as OpenClaw 2026.9.6 was recorded to send it."""
    head = {"id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 1, "model": "openclaw"}
    return b"data: %b\n\n" % json.dumps({**head, **fields}).encode()


def content(text: str) -> bytes:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def stream(*pieces: bytes, ends: bool = True, lines: bytes = b"") -> list[bytes]:
    """A stream with these events; without ``ends`` it is cut behind them."""
    rest = [chunk(choices=[END]), chunk(choices=[], usage=USAGE), b"data: [DONE]\n\n"] if ends else []
    events = [chunk(choices=[ROLE]), *pieces, *rest]
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return [STREAM + lines + b"Transfer-Encoding: chunked\r\n\r\n", *framed, b"0\r\n\r\n"]


def failure(status: int, message: str, code: str) -> list[bytes]:
    body = json.dumps({"error": {"message": message, "type": "t", "code": code, "param": None}}).encode()
    return [
        b"HTTP/1.1 %d No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)
    ]


class RawGateway:
    """``responses`` are the pieces that each connection gets, one after the other; the last one is repeated.

    ``holds``: the connection stays open behind them, and ``left`` is set once the client has closed it.
    """

    def __init__(self, *responses: list[bytes], holds: bool = False) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.left = threading.Event()
        self._responses = list(responses)
        self._holds = holds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_open = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if not self._is_open:
                    return
                connection.settimeout(30)
                found = _read(connection)
                if found is None:
                    continue  # it was only looked whether something listens
                self.requests.append(found)
                pieces = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                    if self._holds and not connection.recv(1):
                        self.left.set()
                except OSError:  # the client left early, with a reset if something was unread
                    self.left.set()

    def close(self) -> None:
        self._is_open = False
        socket.create_connection(("127.0.0.1", self.port), 10).close()
        self._thread.join(120)
        self._listener.close()

    def __enter__(self) -> RawGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(connection: socket.socket) -> tuple[dict[str, str], Any] | None:
    """The headers and the body of a request."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65_536)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    pairs = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in pairs}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65_536)
    return headers, json.loads(body)
