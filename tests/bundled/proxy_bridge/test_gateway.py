"""A gateway whose config is that of the README asks the remote through its own bridge, and nobody else if it cannot."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.bundled.proxy_bridge.host import TOKEN, remote
from tests.e2e.gateway_stand import GATEWAY_TOKEN, write_config
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.ports import free_port

ID = "proxy-bridge"
ASK: Any = [{"role": "user", "content": "ping"}]
pytestmark = pytest.mark.timeout(280)


@contextmanager
def gateway(folder: Path, url: str, port: int) -> Iterator[tuple[Process, dict[str, str]]]:
    env = environment(folder) | {"PROXY_BRIDGE_TOKEN": TOKEN}
    entry = {"config": {"remoteUrl": url, "proxyToken": "${PROXY_BRIDGE_TOKEN}", "bridgePort": port}}
    block = {
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "apiKey": "bridge",
        "api": "openai-completions",
        "models": [{"id": "gpt-4o", "name": "gpt-4o"}],
    }
    state = Path(env["OPENCLAW_STATE_DIR"])
    state.mkdir(mode=0o700)
    config = {
        "gateway": {"port": free_port(), "auth": {"mode": "token", "token": GATEWAY_TOKEN}},
        "plugins": {"entries": {ID: entry}},
        "models": {"providers": {ID: block}},
    }
    write_config(state / "openclaw.json", config)
    words = [sys.executable, "-m", "clawgate", "gateway", "run"]
    with started(words, folder / "gateway", env) as process:
        yield process, env


def client(process: Process) -> OpenAI:
    return OpenAI(base_url=f"{process.url}/v1", api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE)


def status(env: dict[str, str]) -> tuple[int, Any]:
    words = [sys.executable, "-m", "clawgate", ID, "status", "--json"]
    found = subprocess.run(words, env=env, capture_output=True, timeout=PATIENCE, check=False)
    return found.returncode, json.loads(found.stdout)


def pong(process: Process) -> str:
    with client(process) as chat:
        parts = chat.chat.completions.create(model=f"{ID}/gpt-4o", messages=ASK, stream=True)
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)


def test_the_config_that_users_know_streams_an_answer_with_the_remotes_token_alone(tmp_path: Path) -> None:
    with remote() as server, gateway(tmp_path, server.url, free_port()) as (process, env):
        poll(lambda: "bridge listening" in process.out + process.err, "a bridge that listens")
        assert pong(process) == "pong"
        path, headers = server.asked[-1]
        assert path == "/v1/chat/completions" and headers["x-proxy-token"] == TOKEN
        assert "authorization" not in headers and GATEWAY_TOKEN not in repr(headers)
        code, found = status(env)
        assert (code, found["bridge"]["ours"], found["remote"]["authorized"]) == (0, True, True)
        process.send()
        assert process.wait() == 0
        assert TOKEN not in process.out + process.err
        code, found = status(env)
        assert code == 1 and not found["gateway"]["running"] and found["remote"]["authorized"]


def test_a_port_that_is_held_fails_closed_until_it_is_free(tmp_path: Path) -> None:
    """Whoever holds it gets no connection but the one question who it is."""
    with remote() as server, socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with gateway(tmp_path, server.url, port) as (process, _):
            stranger.settimeout(PATIENCE)
            first, _ = stranger.accept()
            assert first.recv(100).startswith(b"GET /health ")
            first.close()
            poll(lambda: "cannot listen" in process.out + process.err, "the reason in the log")
            with client(process) as chat, pytest.raises(openai.InternalServerError) as caught:
                chat.chat.completions.create(model=f"{ID}/gpt-4o", messages=ASK)
            assert caught.value.status_code == 503 and caught.value.code == "provider_unavailable"
            assert f"port {port}" in caught.value.message and not server.asked
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.accept()
            stranger.close()
            poll(lambda: "bridge listening" in process.out + process.err, "a bridge that listens")
            assert pong(process) == "pong"
