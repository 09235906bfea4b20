"""A real nginx as the remote that wants X-Proxy-Token, and as the TLS-less front of a model with a key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from demo.models.openai_chat import reply_text
from tests.e2e.processes import environment, fields_for, is_listening, model_process, role_process, started
from tests.e2e.stand import BODY, CLIENT_TOKEN, KINDS, OPENAI_KEY, PATH, PATIENCE, PROXY_TOKEN, Kind
from tests.e2e.waiting import poll
from tests.peers.client import RawClient
from tests.ports import free_port

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx on PATH")

CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log; keepalive_timeout 1s; keepalive_requests 3;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}; client_max_body_size 1m;
    location / {{
      set $ok 0;
      if ($http_x_proxy_token = "{token}") {{ set $ok 1; }}
      if ($http_authorization = "Bearer {key}") {{ set $ok 1; }}
      if ($http_cookie) {{ set $ok 0; }}
      if ($ok = 0) {{ return 403 "no"; }}
      proxy_pass {model}; proxy_buffering off; proxy_http_version 1.1;
      proxy_set_header Authorization "Bearer {key}"; proxy_set_header X-Proxy-Token "";
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    program = shutil.which("nginx")
    assert program is not None
    with model_process(folder / "model") as model:
        port = free_port()
        conf = folder / "nginx.conf"
        conf.write_text(
            CONF.format(folder=folder, port=port, token=PROXY_TOKEN, key=OPENAI_KEY, model=model.url)
        )
        command = [program, "-p", str(folder), "-c", str(conf), "-e", str(folder / "error.log")]
        if os.getuid() == 0:
            command += ["-g", "user root;"]
        with started(command, folder / "nginx", environment(folder), listens=False):
            poll(lambda: is_listening(port), "nginx to listen")
            yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_client_through_us_and_nginx(kind: Kind, nginx: str, tmp_path: Path) -> None:
    """Streams and whole answers, over connections that nginx closes after three requests."""
    with (
        role_process(kind, nginx, tmp_path / "role") as process,
        OpenAI(base_url=f"{process.url}/v1", api_key=CLIENT_TOKEN, max_retries=0) as client,
    ):
        for number in range(12):
            text = f"number {number}"
            messages: Any = [{"role": "user", "content": text}]
            asked: Any = client.chat.completions
            if number % 2:
                whole = asked.create(model="m", messages=messages)
                assert whole.choices[0].message.content == reply_text(text)
            else:
                stream = asked.create(model="m", messages=messages, stream=True)
                said = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
                assert said == reply_text(text)


@pytest.mark.parametrize("kind", KINDS)
async def test_nginx_that_refuses_us_is_shown_as_it_is(kind: Kind, nginx: str, tmp_path: Path) -> None:
    """Its 403 with its body for a wrong credential, its 413 while a large body is still coming, and it goes on."""
    wrong: dict[str, Any] = {
        "PROXY_BRIDGE_TOKEN": "another-token-123456",
        "OPENAI_API_KEY": "sk-another-key-123456",
    }
    with role_process(kind, nginx, tmp_path / "wrong", **wrong) as process:
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            await client.request(PATH, BODY, fields=fields_for(kind))
            response = await client.response()
            assert (response.status, response.body) == (403, b"no")
    with role_process(kind, nginx, tmp_path / "right") as process:
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            fields = (
                *fields_for(kind),
                ("Content-Type", "application/json"),
                ("Content-Length", "15000000"),
            )
            await client.request(method="POST", target=PATH, fields=fields)
            response = await client.response()
            assert response.status == 413 and response.header("connection") == "close"
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            for _ in range(8):
                await client.request(PATH, BODY, fields=(*fields_for(kind), ("Cookie", "a=b")))
                assert (await client.response()).status == 200
