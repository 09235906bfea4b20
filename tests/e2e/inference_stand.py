"""A real inference server, llama.cpp's, with a tiny random model, and a real nginx with a password in front of it.

Skipped without them: `pip install xllamacpp` into an environment of its own, and set CLAWGATE_TEST_LLAMA to its Python;
nginx and htpasswd (Debian: nginx-light, apache2-utils) on PATH.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.e2e.certificates import Authority
from tests.e2e.gateway_stand import GATEWAY_TOKEN, config_of, write_config
from tests.e2e.processes import Process, environment, is_listening, started
from tests.e2e.stand import PATIENCE
from tests.e2e.tiny_gguf import write_model
from tests.e2e.waiting import poll
from tests.ports import free_port
from tests.routing.gateway_server import agents_on

LLAMA = Path(os.environ.get("CLAWGATE_TEST_LLAMA", "/nonexistent"))
PROGRAM = Path(__file__).with_name("llama_server_program.py")
MODEL = "tiny"
"""What the server calls its model."""

USER, PASSWORD = "gpu", "pä ss:wörd:€ 100%"
"""Legal in Basic authentication (RFC 7617), and what clients get wrong: colons, spaces, what is not ASCII."""
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOKEN = "llm-2Vn8QrXw5TzKb9LmYd7H"
"""What nginx wants as a Bearer token, or in a header of its own."""
HEADER = "X-Inference-Key"

MISSING = (
    "CLAWGATE_TEST_LLAMA does not name a Python with xllamacpp"
    if not LLAMA.exists()
    else next((f"there is no {name} on PATH" for name in ("nginx", "htpasswd") if not shutil.which(name)), "")
)
needs_server = pytest.mark.skipif(bool(MISSING), reason=MISSING)

_GUARDS = {
    "none": "",
    "basic": "auth_basic inference; auth_basic_user_file {folder}/htpasswd; proxy_set_header Authorization '';",
    "bearer": "if ($http_authorization != 'Bearer {token}') {{ return 401; }}",
    "header": "if ($http_x_inference_key != '{token}') {{ return 403; }}",
}
GUARDS = tuple(_GUARDS)
"""How nginx knows its callers."""

_CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log; {http}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}{tls};
    location {path} {{
      {guard}
      proxy_pass {upstream}; proxy_http_version 1.1; {location}
    }}
  }}
}}
"""


@contextlib.contextmanager
def llama_server(folder: Path, *, key: str = "", **kind: Any) -> Iterator[Process]:
    """Run llama.cpp's server with a tiny model; ``kind`` is what `write_model` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    model = write_model(folder / "tiny.gguf", **kind)
    command = [str(LLAMA), str(PROGRAM), str(model), MODEL, *filter(None, [key])]
    with started(command, folder, environment(folder)) as process:
        yield process


@dataclass(frozen=True, slots=True)
class Front:
    """An nginx that listens at ``url``; ``folder`` has its logs."""

    url: str
    folder: Path
    process: Process

    @property
    def log(self) -> list[str]:
        """One line for each request."""
        return (self.folder / "access.log").read_text().splitlines()


@contextlib.contextmanager
def nginx_front(
    folder: Path,
    upstream: str,
    guard: str = "none",
    *,
    authority: Authority | None = None,
    path: str = "/",
    http: str = "",
    location: str = "proxy_buffering off;",
) -> Iterator[Front]:
    """Run nginx in front of ``upstream``; ``http`` and ``location`` are lines of these blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    port, tls = free_port(), ""
    if authority is not None:
        certificate = authority.issue("localhost", "127.0.0.1").file
        tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
    password = [shutil.which("htpasswd") or "", "-bc", str(folder / "htpasswd"), USER, PASSWORD]
    subprocess.run(password, check=True, capture_output=True)
    conf = folder / "nginx.conf"
    conf.write_text(
        _CONF.format(
            folder=folder, port=port, tls=tls, upstream=upstream, http=http, location=location, path=path,
            guard=_GUARDS[guard].format(folder=folder, token=TOKEN),
        )
    )  # fmt: skip
    command = [
        shutil.which("nginx") or "",
        "-p",
        str(folder),
        "-c",
        str(conf),
        "-e",
        str(folder / "error.log"),
    ]
    command += ["-g", "user root;"] if os.getuid() == 0 else []
    with started(command, folder / "process", environment(folder), listens=False) as process:
        poll(lambda: is_listening(port), "nginx to listen")
        yield Front(f"{'http' if authority is None else 'https'}://127.0.0.1:{port}", folder, process)


def auth_of(guard: str) -> dict[str, Any]:
    """What OpenClaw's ``request.auth`` says for a guard."""
    return {
        "none": {"mode": "provider-default"},
        "basic": {"mode": "header", "headerName": "Authorization", "prefix": "Basic", "value": BASIC},
        "bearer": {"mode": "authorization-bearer", "token": TOKEN},
        "header": {"mode": "header", "headerName": HEADER, "value": TOKEN},
    }[guard]


def provider_at(url: str, guard: str = "none", **request: Any) -> dict[str, Any]:
    """A provider of the config; ``request`` is more of its block."""
    return {
        "baseUrl": f"{url}/v1",
        "api": "openai-completions",
        "request": {"allowPrivateNetwork": True, "auth": auth_of(guard), **request},
        "models": [{"id": MODEL, "name": MODEL}],
    }


@dataclass(slots=True)
class Gateway:
    """A gateway process in front of the providers of its config."""

    process: Process
    config: Path

    def client(self, **options: Any) -> OpenAI:
        return OpenAI(
            base_url=f"{self.process.url}/v1",
            api_key=GATEWAY_TOKEN,
            max_retries=0,
            timeout=PATIENCE,
            **options,
        )

    @property
    def output(self) -> str:
        return self.process.out + self.process.err


@contextlib.contextmanager
def gateway_process(
    folder: Path,
    providers: dict[str, Any],
    *,
    variables: Mapping[str, str] = {},
    more: Mapping[str, Any] = {},
) -> Iterator[Gateway]:
    """Run a gateway with these providers as its user would; the first one's model is that of the agent ``main``.

    ``more`` is merged into its config, ``variables`` are of its environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "openclaw.json"
    primary = {"model": {"primary": f"{next(iter(providers), 'owl')}/{MODEL}"}}
    agents = {"defaults": primary, "entries": {"main": {}}}
    write_config(path, agents_on(config_of(providers, agents=agents, **more), responses=True))
    command = [
        sys.executable,
        "-m",
        "clawgate",
        "gateway",
        "run",
        "--config",
        str(path),
        "--port",
        "0",
        "--verbose",
    ]
    with started(command, folder / "process", environment(folder, **variables)) as process:
        yield Gateway(process, path)
