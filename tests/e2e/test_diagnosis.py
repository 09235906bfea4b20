"""Every command says of a model what a request to it gets: with the same reason, and failing where it fails."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway_stand import GATEWAY_TOKEN, write_config
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE

CLAUDE, BRIDGE = "anthropic-claude-proxy", "proxy-bridge"
FOR_PEOPLE = {
    "doctor": ("doctor",),
    "route explain": ("route", "explain"),
    "gateway status": ("gateway", "status", "--require-ok"),
    "gateway health": ("gateway", "health"),
    "models status": ("models", "status"),
    "models list": ("models", "list"),
}
COMMANDS = FOR_PEOPLE | {f"{name} --json": (*command, "--json") for name, command in FOR_PEOPLE.items()}


@dataclass(frozen=True)
class Cause:
    """Why a provider's service is down: ``says`` is what the reason has to hold."""

    provider: str
    code: str
    says: str
    plugin: dict[str, Any] | None = None
    block: dict[str, Any] = field(default_factory=dict)
    plugin_is_enabled: bool = True
    port_is_taken: bool = False
    status: int = 503
    is_asked_all_the_same: bool = False
    """Whether only a request shows it, so that the next one is sent as well."""


def _proxy(*command: str) -> dict[str, Any]:
    return {"command": list(command), "restartDelayMs": 1}


CAUSES = {
    "a program that is missing": Cause(
        CLAUDE,
        "provider_unavailable",
        "could not be started (/no/such/program not found",
        _proxy("/no/such/program"),
    ),
    "a program that is a folder": Cause(
        CLAUDE, "provider_unavailable", "could not be started (/dev is a folder", _proxy("/dev")
    ),
    "a program that exits at once": Cause(
        CLAUDE,
        "provider_unavailable",
        "failed 5 times in a row and is retried slowly (exited with status 3)",
        _proxy(sys.executable, "-c", "raise SystemExit(3)"),
    ),
    "a server that refuses connections": Cause(
        "mine", "provider_unavailable", "connection refused; is it running", is_asked_all_the_same=True
    ),
    "a remote that refuses connections": Cause(
        BRIDGE,
        "upstream_unreachable",
        "connection refused; is it running",
        {"remoteUrl": "http://127.0.0.1:9", "proxyToken": "canary-token-1234"},
        status=502,
        is_asked_all_the_same=True,
    ),
    "a port that is taken": Cause(
        CLAUDE, "provider_unavailable", "its port is taken by", _proxy("/no/such/program"), port_is_taken=True
    ),
    "a bridge whose port is taken": Cause(
        BRIDGE,
        "provider_unavailable",
        "already in use",
        {"remoteUrl": "http://127.0.0.1:9", "proxyToken": "canary-token-1234"},
        port_is_taken=True,
    ),
    "a token that is missing": Cause(
        BRIDGE,
        "provider_unavailable",
        "NO_SUCH_TOKEN",
        {"remoteUrl": "http://127.0.0.1:9", "proxyToken": "${NO_SUCH_TOKEN}"},
    ),
    "a plugin that is disabled": Cause(
        CLAUDE, "provider_unavailable", f"clawgate plugins enable {CLAUDE}", {}, plugin_is_enabled=False
    ),
    "a certificate that is missing": Cause(
        "mine",
        "provider_not_configured",
        "/no/such.pem",
        block={
            "baseUrl": "https://127.0.0.1:9/v1",
            "request": {"allowPrivateNetwork": True, "tls": {"ca": "/no/such.pem"}},
        },
    ),
    "an address that is not allowed": Cause(
        "mine", "private_network_blocked", "allowPrivateNetwork to true", block={"request": {}}, status=403
    ),
}

SHOWN_TO_PEOPLE = {"a program that is missing", "a server that refuses connections"}
"""The causes that are tried with the output for people, too: it is made of the same values."""


def _config(cause: Cause, port: int) -> dict[str, Any]:
    block = {
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "api": "openai-completions",
        "apiKey": "local",
        "request": {"allowPrivateNetwork": True},
        "models": [{"id": "m", "name": "m"}],
        **cause.block,
    }
    config: dict[str, Any] = {
        "gateway": {"mode": "local", "port": 0, "auth": {"mode": "token", "token": GATEWAY_TOKEN}},
        "models": {"mode": "replace", "providers": {cause.provider: block}},
        "agents": {"defaults": {"model": {"primary": f"{cause.provider}/m"}}},
    }
    if cause.plugin is not None:
        plugin = {"bridgePort" if cause.provider == BRIDGE else "port": port, **cause.plugin}
        entry = {"enabled": cause.plugin_is_enabled, "config": plugin}
        config["plugins"] = {"entries": {cause.provider: entry}}
    return config


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(418)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _port(*, is_taken: bool) -> Iterator[int]:
    if not is_taken:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        yield port
        return
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Down:
    """A gateway whose only provider is down."""

    cause: Cause
    gateway: Process
    environment: dict[str, str]

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {GATEWAY_TOKEN}", "Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request(
                method, path, None if body is None else json.dumps(body), headers if body else {}
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def request(self) -> tuple[int, dict[str, Any]]:
        status, body = self.ask("POST", "/v1/chat/completions", {"model": "default", "messages": []})
        return status, body["error"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "clawgate", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture(scope="module", params=CAUSES)
def down(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Down]:
    cause = CAUSES[request.param]
    folder = tmp_path_factory.mktemp("down")
    env = environment(folder)
    state = Path(env["OPENCLAW_STATE_DIR"])
    state.mkdir(mode=0o700)
    with _port(is_taken=cause.port_is_taken) as port:
        write_config(state / "openclaw.json", _config(cause, port))
        command = [sys.executable, "-m", "clawgate", "gateway", "run"]
        with started(command, folder / "gateway", env) as process:
            found = Down(cause, process, env)
            _until(lambda: cause.says in found.request()[1]["message"])
            yield found


def _plain(text: str) -> str:
    """Without what wraps, quotes or prefixes it, and what a client is told of a cause in general."""
    return re.sub(r"\s+", " ", text.replace('\\"', '"')).removeprefix("service unavailable: ")


def test_a_request_gets_the_reason(down: Down) -> None:
    status, error = down.request()
    assert (status, error["code"]) == (down.cause.status, down.cause.code)


@pytest.mark.parametrize(
    ("down", "name"),
    [
        (cause, name)
        for cause in CAUSES
        for name in COMMANDS
        if name not in FOR_PEOPLE or cause in SHOWN_TO_PEOPLE
    ],
    indirect=["down"],
    scope="module",
)
def test_a_command_says_what_a_request_gets(down: Down, name: str) -> None:
    found = down.run(*COMMANDS[name])
    _, error = down.request()
    output = found.stdout + found.stderr
    assert _plain(error["message"]) in _plain(output), output
    assert found.returncode == 1, output
    assert "canary" not in output


def test_ready_says_what_a_request_gets(down: Down) -> None:
    status, ready = down.ask("GET", "/ready")
    _, error = down.request()
    assert down.ask("GET", "/health")[1].keys() == {"ok", "status", "version", "role", "instance"}
    if down.cause.is_asked_all_the_same:
        assert (status, ready["ready"], ready["failing"]) == (200, True, [])
        return
    assert (status, ready["ready"], ready["failing"], ready["code"]) == (
        503,
        False,
        ["models"],
        error["code"],
    )
    assert _plain(error["message"]).startswith(_plain(ready["reason"]))
