"""A home folder with a config, and the gateway that commands start in it; killed at the end if it is still there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from tests.cli.command import command

TOKEN = "canary-9f8e7d6c5b4a39281706f5e4d3c2b1a0"


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".openclaw"
        self.state.mkdir(mode=0o700)
        self.log = self.state / "clawgate" / "logs" / "gateway.log"

    def configure(self, *, upstream: int = 9, **gateway: Any) -> None:
        """A token, any port, and one provider on loopback."""
        provider = {
            "baseUrl": f"http://127.0.0.1:{upstream}/v1",
            "apiKey": "local",
            "api": "openai-completions",
            "request": {"allowPrivateNetwork": True},
            "models": [{"id": "m", "name": "m"}],
        }
        self.write(
            json.dumps(
                {
                    "gateway": {"mode": "local", "port": 0, "auth": {"token": TOKEN}, **gateway},
                    "models": {"providers": {"local": provider}},
                    "agents": {"defaults": {"model": {"primary": "local/m"}}},
                }
            )
        )

    def write(self, text: str) -> None:
        path = self.state / "openclaw.json"
        path.write_text(text)
        path.chmod(0o600)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return command(*arguments, folder=self.folder, environment=environment)

    def gateway(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("gateway", *arguments, **environment)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command that goes on."""
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "clawgate", *arguments],
            cwd=self.folder,
            env=inherited | {"HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def find_instance(self) -> RunningInstance | None:
        return find_instance(self.state / "clawgate")

    def running(self) -> RunningInstance:
        found = self.find_instance()
        assert found is not None
        return found

    def ask(self, path: str = "/health", body: object = None) -> tuple[int, bytes]:
        """A request of a client that has the token."""
        port = self.running().port
        assert port is not None
        return ask(port, path, body)

    def close(self) -> None:
        while (found := self.find_instance()) is not None and found.is_visible:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)


def ask(port: int, path: str, body: object = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    try:
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, fields)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class SlowModel:
    """A model that answers a request when it is told to; ``asked`` once it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed, or the gateway was ended
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65_536)
                self.asked.set()
                self.answer.wait(60)
                said = json.dumps({"id": "x", "object": "chat.completion", "choices": []}).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(said), said)
                )

    def close(self) -> None:
        self.answer.set()
        with contextlib.suppress(OSError):  # to wake the thread, if it still waits for a connection
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join(120)
        self._listener.close()


CHAT = {"model": "local/m", "messages": [{"role": "user", "content": "hi"}]}


@contextlib.contextmanager
def under_way(home: Home, model: SlowModel) -> Iterator[list[tuple[int, bytes]]]:
    """A request that the model has and does not answer yet; its answer is in the list when the context has ended."""
    port = home.running().port
    assert port is not None
    answers: list[tuple[int, bytes]] = []

    def run() -> None:
        with contextlib.suppress(
            OSError, http.client.HTTPException
        ):  # no answer is what a test may want to see
            answers.append(ask(port, "/v1/chat/completions", CHAT))

    client = threading.Thread(target=run)
    client.start()
    try:
        assert model.asked.wait(120), answers
        yield answers
    finally:
        model.answer.set()
        client.join(120)
