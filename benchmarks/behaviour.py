"""What does a client get, and the model server see, when something goes wrong? One request for each check, on loopback.

    python -m benchmarks.behaviour [--litellm PYTHON]      writes benchmarks/results/behaviour.json

The contenders are started as for the benchmark; the model server is a script that does one thing at a time.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from benchmarks.contenders import Contender, all_contenders
from benchmarks.launch import Place
from benchmarks.roles import CLIENT_KEY, ENDS, MODEL
from benchmarks.started import Started, free_port

Mode = Literal["whole", "busy", "silent", "stream", "cut"]

NAMES = ("nginx", "caddy", "haproxy", "bridge", "gateway", "litellm")
PATIENCE = 3.0
"""Seconds after which an upstream that is still open counts as one that was not cancelled."""
TOKEN = "token-of-this-run-0123456789abcdef"
OUTPUT = Path(__file__).parent / "results" / "behaviour.json"

_CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
_WHOLE = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)
_BUSY = (
    b'{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded","param":null}}'
)


class ModelServer:
    """Does what ``mode`` names; ``heads`` are the requests that came, ``left_at`` when the last peer closed."""

    def __init__(self) -> None:
        self.mode: Mode = "whole"
        self.heads: list[str] = []
        self.left = threading.Event()
        self.began = threading.Event()
        self._current: socket.socket | None = None
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def expect(self, mode: Mode) -> None:
        self.mode = mode
        self._current = None
        self.heads.clear()
        self.left.clear()
        self.began.clear()

    def _accept(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            while self._one(peer):
                pass
        except OSError:
            pass
        if peer is self._current:  # and not an idle connection that a pool closes
            self.left.set()
        peer.close()

    def _one(self, peer: socket.socket) -> bool:
        """Serve one request; whether the connection stays."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65_536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in fields if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += peer.recv(65_536)
        self.heads.append(head.decode("latin-1"))
        self._current = peer
        self.began.set()
        return _BEHAVIOURS[self.mode](peer)


def _reply(status: str, body: bytes, more: str = "") -> Callable[[socket.socket], bool]:
    def send(peer: socket.socket) -> bool:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        peer.sendall(head.encode() + body)
        return True

    return send


def _silent(peer: socket.socket) -> bool:
    peer.settimeout(PATIENCE * 3)
    return bool(peer.recv(1)) and False


def _streams(frames: int) -> Callable[[socket.socket], bool]:
    def send(peer: socket.socket) -> bool:
        peer.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        peer.settimeout(0.02)
        for _ in range(frames):
            peer.sendall(b"%x\r\n%b\r\n" % (len(_CHUNK), _CHUNK))
            try:
                if not peer.recv(1):
                    return False
            except TimeoutError:
                continue
        return False

    return send


_BEHAVIOURS: dict[Mode, Callable[[socket.socket], bool]] = {
    "whole": _reply("200 OK", _WHOLE),
    "busy": _reply("429 Too Many Requests", _BUSY, "Retry-After: 7\r\n"),
    "silent": _silent,
    "stream": _streams(int(PATIENCE * 150)),
    "cut": _streams(3),
}


class Client:
    """One request to a contender at a time, as bytes."""

    def __init__(self, contender: Contender, port: int) -> None:
        self._contender = contender
        self._port = port
        self._token = TOKEN if contender.role == "gateway" else CLIENT_KEY

    def send(
        self, *, stream: bool, token: bool = True, body: bytes | None = None, more: str = ""
    ) -> socket.socket:
        prompt = [{"role": "user", "content": "hello"}]
        request = {"model": ENDS[self._contender.role].model or MODEL, "stream": stream, "messages": prompt}
        payload = json.dumps(request).encode() if body is None else body
        credential = f"Authorization: Bearer {self._token}\r\n" if token else ""
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"{credential}{more}Content-Length: {len(payload)}\r\n\r\n"
        )
        peer = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        peer.sendall(head.encode() + payload)
        return peer

    def response(self, **request: object) -> tuple[int, str, bytes, bool]:
        """Status, head, body and whether the transfer ended in order."""
        with self.send(**request) as peer:  # type: ignore[arg-type]  # what `send` takes
            data, is_reset = b"", False
            peer.settimeout(PATIENCE)
            try:
                while not ended(data) and (more := peer.recv(65_536)):
                    data += more
            except (TimeoutError, ConnectionResetError):
                is_reset = True
        head, _, body = data.partition(b"\r\n\r\n")
        return int(data[9:12] or 0), head.decode("latin-1").lower(), body, ended(data) and not is_reset


def ended(data: bytes) -> bool:
    head, split, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    length = lower.partition(b"content-length:")[2].split(b"\r\n")[0].strip()
    return bool(split) and bool(length) and len(body) >= int(length)


def checks(client: Client, server: ModelServer) -> dict[str, str]:
    """Every check by its name, in the words of the table."""
    found: dict[str, str] = {}
    server.expect("whole")
    client.response(stream=False)
    server.expect("whole")
    status, _, _, _ = client.response(stream=False, token=False)
    found["a request without a credential"] = f"{status}{', forwarded' if server.heads else ''}"
    server.expect("whole")
    client.response(stream=False, more="Cookie: session=abc\r\nX-Client-Secret: hidden\r\n")
    found["what reaches the model server"] = arrived(server.heads)
    server.expect("busy")
    status, head, _, _ = client.response(stream=False)
    found["`Retry-After` of a 429"] = f"{status}, {'kept' if 'retry-after: 7' in head else 'dropped'}"
    server.expect("cut")
    _, _, body, whole = client.response(stream=True)
    end = "`[DONE]`" if b"[DONE]" in body else "an error event" if b'"error"' in body else ""
    broken = "an orderly end" if whole else "a broken transfer"
    found["the model server dies in mid-stream: the client gets"] = f"{end}, {broken}" if end else broken
    moments: tuple[tuple[str, Mode, bool], ...] = (
        ("in mid-stream", "stream", True),
        ("before the first token", "silent", True),
        ("a request without a stream", "silent", False),
    )
    for name, mode, stream in moments:
        found[f"the client leaves {name}: the model server is free after"] = _freed(
            client, server, mode, stream=stream
        )
    server.expect("whole")
    status, _, _, _ = client.response(stream=False, body=b'{"model": ')
    found["malformed JSON"] = f"{status}{', forwarded' if server.heads else ''}"
    return found


def arrived(heads: list[str]) -> str:
    lines = [line.lower() for line in "\n".join(heads).replace("\r", "").split("\n")]
    credentials = sum(line.startswith(("authorization:", "x-api-key:", "x-proxy-token:")) for line in lines)
    leaked = [
        word for word in ("cookie", "x-client-secret") if any(line.startswith(f"{word}:") for line in lines)
    ]
    own = any(
        CLIENT_KEY in line or (TOKEN in line and not line.startswith("x-proxy-token:")) for line in lines
    )
    parts = [
        f"{credentials} credential{'' if credentials == 1 else 's'}",
        *(["the client's own"] if own else []),
    ]
    return ", ".join([*parts, *(f"`{word}`" for word in leaked)])


def _freed(client: Client, server: ModelServer, mode: Mode, *, stream: bool) -> str:
    server.expect(mode)
    peer = client.send(stream=stream)
    server.began.wait(20)
    time.sleep(0.3)  # a person leaves in the middle of something
    peer.close()
    left = time.monotonic()
    if not server.left.wait(PATIENCE):
        server.left.wait(PATIENCE * 3)
        return f"not within {PATIENCE:g} s"
    return f"{max((time.monotonic() - left) * 1000, 1):.0f} ms"


def measure(contender: Contender) -> dict[str, object]:
    server, port = ModelServer(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstreams = dict.fromkeys(ENDS, server.port)
        launch = contender.launch(Place(folder, port, upstreams, contender.role, TOKEN))
        with Started(launch.command, launch.env, folder, None) as started:
            started.wait_listening(port, 120)
            return {"version": contender.version(), "checks": checks(Client(contender, port), server)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--litellm", type=Path, metavar="PYTHON", help="a Python that has litellm[proxy]")
    arguments.add_argument("--output", type=Path, default=OUTPUT)
    given = arguments.parse_args()
    results: dict[str, object] = {"taken_at": time.strftime("%Y-%m-%d")}
    for contender in all_contenders(given.litellm):
        if contender.name in NAMES and contender.program is not None:
            results[contender.name] = measure(contender)
            sys.stdout.write(f"{contender.name}: {json.dumps(results[contender.name], indent=1)}\n")
    given.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
