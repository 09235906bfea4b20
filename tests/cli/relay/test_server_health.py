"""`clawgate server health` finds the server where `clawgate server run` with the same settings listens."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.command import command
from tests.e2e.certificates import Authority
from tests.e2e.processes import model_process, role_process
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY
from tests.ports import free_port

VARIABLES = {"OPENAI_API_KEY": OPENAI_KEY, "OPENAI_PROXY_TOKEN": CLIENT_TOKEN}


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_server_that_responds_is_healthy(host: str, tmp_path: Path) -> None:
    with role_process("server", "http://127.0.0.1:9", tmp_path / "role", "--host", host) as server:
        variables = {**VARIABLES, "OPENAI_PROXY_HOST": host, "OPENAI_PROXY_PORT": str(server.port)}
        found = command("server", "health", folder=tmp_path, environment=variables)
    assert found.returncode == 0 and f":{server.port}" in found.stdout, found.stderr


def test_one_with_tls_is_asked_by_tls(tmp_path: Path) -> None:
    issued = str(Authority(tmp_path, "authority").issue("clawgate.example").file)
    tls = ("--tls-certificate", issued, "--tls-key", issued)
    with role_process("server", "http://127.0.0.1:9", tmp_path / "role", *tls) as server:
        found = command(
            "server", "health", "--port", str(server.port), *tls, folder=tmp_path, environment=VARIABLES
        )
    assert found.returncode == 0 and "https://" in found.stdout, found.stderr


def test_one_with_tls_is_named_as_such_where_the_flags_are_left_out(tmp_path: Path) -> None:
    issued = str(Authority(tmp_path, "authority").issue("clawgate.example").file)
    tls = ("--tls-certificate", issued, "--tls-key", issued)
    with role_process("server", "http://127.0.0.1:9", tmp_path / "role", *tls) as server:
        found = command(
            "server", "health", "--port", str(server.port), folder=tmp_path, environment=VARIABLES
        )
    assert found.returncode == 1 and "it speaks TLS" in found.stderr, found.stderr
    assert "give --tls-certificate and --tls-key" in found.stderr and "start it" not in found.stderr


def test_one_without_tls_is_named_as_such_where_the_flags_are_given(tmp_path: Path) -> None:
    issued = str(Authority(tmp_path, "authority").issue("clawgate.example").file)
    tls = ("--tls-certificate", issued, "--tls-key", issued)
    with role_process("server", "http://127.0.0.1:9", tmp_path / "role") as server:
        found = command(
            "server", "health", "--port", str(server.port), *tls, folder=tmp_path, environment=VARIABLES
        )
    assert found.returncode == 1 and "it speaks plain HTTP" in found.stderr, found.stderr
    assert "leave out --tls-certificate and --tls-key" in found.stderr and "start it" not in found.stderr


def test_another_role_is_no_server(tmp_path: Path) -> None:
    with role_process("bridge", "http://127.0.0.1:9", tmp_path / "role") as bridge:
        found = command(
            "server", "health", "--port", str(bridge.port), folder=tmp_path, environment=VARIABLES
        )
    assert found.returncode == 1 and "a bridge responded, not a server" in found.stderr, found.stderr


def test_what_a_stranger_calls_itself_is_not_repeated(tmp_path: Path) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(
                {"ok": True, "status": "live", "version": "1", "role": "\x1b]0;owned\x07"}
            ).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        thread = threading.Thread(target=stranger.serve_forever)
        thread.start()
        port = str(stranger.server_port)
        found = command("server", "health", "--port", port, folder=tmp_path, environment=VARIABLES)
        stranger.shutdown()
        thread.join()
    assert found.returncode == 1 and "owned" not in found.stderr and "\x1b" not in found.stderr
    assert "not a server" in found.stderr, found.stderr


def test_none_that_listens_is_a_failure_with_the_next_step(tmp_path: Path) -> None:
    port = free_port()
    found = command("server", "health", "--port", str(port), folder=tmp_path, environment=VARIABLES)
    assert found.returncode == 1 and f"127.0.0.1:{port}: nothing listens there" in found.stderr
    assert "clawgate server run" in found.stderr


def test_another_program_is_a_failure(tmp_path: Path) -> None:
    with model_process(tmp_path / "model") as model:
        found = command("server", "health", "--port", str(model.port), folder=tmp_path, environment=VARIABLES)
    assert found.returncode == 1 and "another program than clawgate" in found.stderr
    assert "(--port)" in found.stderr and "start it" not in found.stderr


def test_settings_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    found = command("server", "health", "--port", "1", folder=tmp_path)
    assert found.returncode == 2 and "OPENAI_API_KEY" in found.stderr
