"""Three gateways on one PostgreSQL behind nginx, each replaced by the next as a Deployment does it, under load.

Their environment is that of the chart: no HOME, a state folder in a volume, the config behind a symlink as a ConfigMap
mounts it, every secret a variable. nginx stands for the Service: it repeats no request.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from tests.deploy.test_image import ROOT
from tests.e2e.processes import Process, environment, is_listening, model_process, started
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY, PATIENCE
from tests.e2e.waiting import poll
from tests.peers.client import RawClient
from tests.ports import free_port
from tests.state.postgres_server import PostgresServer, programs

CLIENTS = 12
WORDS = 60
NGINX = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream gateways {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gateways; proxy_http_version 1.1; proxy_buffering off; proxy_next_upstream off;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx on PATH"),
    pytest.mark.skipif(programs() is None, reason="there is no PostgreSQL"),
]


class Cluster(contextlib.ExitStack):
    """Runs gateways, and nginx in front of those that are ready."""

    def __init__(self, folder: Path, model: str, database: str) -> None:
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self.pods: list[Process] = []
        self._numbers = itertools.count(1)  # pods start in threads
        self._database = database
        self._write_config(model)
        self._nginx: Process | None = None

    def _write_config(self, model: str) -> None:
        """As a ConfigMap: openclaw.json -> ..data/openclaw.json, and ..data -> a folder of the version."""
        config: Any = pyjson5.decode((ROOT / "deploy" / "config" / "openclaw.json").read_text())
        config["gateway"]["trustedProxies"] = ["127.0.0.1"]
        request = {"allowPrivateNetwork": True}
        local = {
            "baseUrl": f"{model}/v1",
            "apiKey": "${OPENAI_API_KEY}",
            "request": request,
            "models": [{"id": "m", "name": "m"}],
        }
        config["models"] = {"providers": {"local": local}}
        config["agents"]["defaults"]["model"]["primary"] = "local/m"
        mounted = self.folder / "etc"
        (mounted / "..1").mkdir(parents=True)
        (mounted / "..1" / "openclaw.json").write_text(json.dumps(config))
        (mounted / "..data").symlink_to("..1")
        (mounted / "openclaw.json").symlink_to("..data/openclaw.json")

    def start(self) -> Process:
        """A pod that is ready, with a port instead of an address of its own."""
        number = next(self._numbers)
        volume = self.folder / f"volume{number}"
        volume.mkdir(mode=0o2777)
        env = environment(
            self.folder,
            OPENCLAW_STATE_DIR=str(volume / "state"),
            OPENCLAW_CONFIG_PATH=str(self.folder / "etc" / "openclaw.json"),
            CLAWGATE_DATABASE_URL=self._database,
            OPENCLAW_GATEWAY_TOKEN=CLIENT_TOKEN,
            OPENAI_API_KEY=OPENAI_KEY,
        )
        program = ["env", "-u", "HOME", sys.executable, "-m", "clawgate"]
        command = [*program, "gateway", "run", "--bind", "lan", "--port", str(free_port())]
        return self.enter_context(started(command, self.folder / f"pod{number}", env))

    def route(self, pods: list[Process]) -> None:
        """Send new requests to these pods, and none to others once this returns."""
        servers = " ".join(f"server 127.0.0.1:{pod.port};" for pod in pods)
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=self.folder, servers=servers, port=self.port))
        if self._nginx is None:
            command = [shutil.which("nginx") or "", "-p", str(self.folder), "-c", str(conf)]
            command += ["-e", str(self.folder / "log"), *(["-g", "user root;"] if os.getuid() == 0 else [])]
            env = environment(self.folder)
            self._nginx = self.enter_context(started(command, self.folder / "nginx", env, listens=False))
            self.callback(self._stop_nginx)
            poll(lambda: is_listening(self.port), "nginx to listen")
        else:
            before = set(self._workers())
            self._nginx.send(signal.SIGHUP)
            poll(lambda: not before & self._accepting(), "nginx to stop the workers with the old list")
        self.pods = pods

    def _stop_nginx(self) -> None:
        """Killed, it would leave its workers."""
        assert self._nginx is not None
        self._nginx.send(signal.SIGTERM)
        self._nginx.popen.wait(PATIENCE)

    def _workers(self) -> list[int]:
        assert self._nginx is not None
        pid = self._nginx.popen.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _accepting(self) -> set[int]:
        found = set()
        for pid in self._workers():
            with contextlib.suppress(OSError):
                title = Path(f"/proc/{pid}/cmdline").read_text()
                found |= {pid} if "shutting down" not in title else set()
        return found

    def replace_each(self) -> None:
        """maxSurge 1, maxUnavailable 0: the next is ready before one of the old gets no more requests, then SIGTERM."""
        for old in list(self.pods):
            self.route([*self.pods, self.start()])
            self.route([pod for pod in self.pods if pod is not old])
            old.send(signal.SIGTERM)
            assert old.wait() == 0, old.err


async def client(cluster: Cluster, number: int, rolled: asyncio.Event, seen: Counter[str]) -> int:
    """Turns of one session after another, streamed, until all gateways were replaced; returns how many."""
    turns = 0
    text = " ".join(f"word{each}" for each in range(WORDS if number % 2 else 3))
    while not rolled.is_set():
        model = "openclaw" if turns % 2 == 0 else "local/m"
        body = {
            "model": model,
            "stream": True,
            "user": f"u{number}",
            "messages": [{"role": "user", "content": text}],
        }
        data = json.dumps(body).encode()
        async with await RawClient.open(f"http://127.0.0.1:{cluster.port}", limit=PATIENCE) as raw:
            await raw.send(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: clawgate.llm\r\nAuthorization: Bearer %b\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (CLIENT_TOKEN.encode(), len(data), data)
            )
            response = await raw.response()
        is_whole = response.complete and response.body.rstrip().endswith(b"data: [DONE]")
        seen[f"{response.status} {'whole' if is_whole else response.body[-300:].decode()}"] += 1
        turns += 1
    return turns


@pytest.mark.timeout(300)
async def test_no_request_is_lost_while_each_gateway_is_replaced(tmp_path: Path) -> None:
    server = await asyncio.to_thread(PostgresServer)
    seen: Counter[str] = Counter()
    try:
        with (
            model_process(tmp_path / "model", "--token-delay-ms", "15") as model,
            Cluster(tmp_path, model.url, server.new_database()) as cluster,
        ):
            # The three start at once on an empty database, as pods of a new release do.
            pods = await asyncio.gather(*(asyncio.to_thread(cluster.start) for _ in range(3)))
            await asyncio.to_thread(cluster.route, list(pods))
            rolled = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                clients = [group.create_task(client(cluster, each, rolled, seen)) for each in range(CLIENTS)]
                await asyncio.to_thread(cluster.replace_each)
                rolled.set()
            stored = server.execute(
                "SELECT count(*) AS turns FROM turns WHERE message::json->>'role' = 'assistant'"
            )
            asked = sum((task.result() + 1) // 2 for task in clients)
            assert set(seen) == {"200 whole"}, seen
            assert len(cluster.pods) == 3 and not any(pod in pods for pod in cluster.pods)
            assert stored[0]["turns"] == asked > CLIENTS
    finally:
        await asyncio.to_thread(server.close)
