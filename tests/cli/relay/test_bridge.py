"""`clawgate bridge run` refuses what cannot be used, all of it at once, and shows no secret."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.command import OURS, command
from tests.ports import free_port
from tests.private_file import write_private

TOKEN = "canary-9Kx2-Qw7Zp"
HOST = ("--host-url", "http://127.0.0.1:1", "--instance", "an-instance", "--exit-on-stdin-eof")


def test_nothing_set_names_every_way_to_set_it(tmp_path: Path) -> None:
    found = command("bridge", "run", folder=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    for part in (
        "invalid configuration:",
        "--remote-url",
        "PROXY_BRIDGE_URL",
        'plugins.entries."proxy-bridge".config.remoteUrl in ',
        "PROXY_BRIDGE_TOKEN",
    ):
        assert part in found.stderr
    assert "Traceback" not in found.stderr


def test_all_problems_come_at_once_with_their_places_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "c.json5"
    config.write_text("{plugins: {entries: {'proxy-bridge': {config: {remotUrl: 1, idleTimeout: 0}}}}}")
    found = command(
        "bridge", "run", "--config", str(config), "--port", "x", "--remote-url", f"http://u:{TOKEN}@h",
        folder=tmp_path, environment={"PROXY_BRIDGE_TOKEN": f"{TOKEN} x"},
    )  # fmt: skip
    assert found.returncode == 2
    for part in (
        "remotUrl",
        "did you mean 'remoteUrl'",
        "idleTimeout",
        "(--port)",
        "(--remote-url)",
        "(environment variable PROXY_BRIDGE_TOKEN)",
    ):
        assert part in found.stderr
    assert "canary" not in found.stderr + found.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "--bridge-token"),
        (["--host", "::"], "--bridge-token"),
        (["--upstream-proxy", f"http://u:{TOKEN}@h:x"], "upstreamProxy"),
        (["--upstream-proxy", f"socks5://u:{TOKEN}@h:1"], "upstreamProxy"),
        (["--remote-url", "https://h", "--ca-file", "/no/such/file"], "caFile"),
        (["--client-key", "k"], "clientCertificate"),
        (["--config", "/no/such/file"], "does not exist"),
        (["--env-file", "/no/such/file"], "there is no such file"),
    ],
    ids=["every IPv4", "every IPv6", "a proxy without port", "another proxy", "no CA", "no certificate",
    "no config", "no env"],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_before_anything_listens(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    base = ["bridge", "run", "--port", "0", "--remote-url", "http://h", "--proxy-token", TOKEN]
    found = command(*base, *arguments, folder=tmp_path)
    assert found.returncode == 2 and says in found.stderr
    assert "Traceback" not in found.stderr and "listening" not in found.stderr
    assert "canary" not in found.stderr + found.stdout


def test_files_of_variables_are_reported_at_start(tmp_path: Path) -> None:
    """The one that is named is read; the one of the working folder is not."""
    (tmp_path / ".env").write_text("PROXY_BRIDGE_URL=http://attacker.test\n")
    write_private(tmp_path / "my.env", "PROXY_BRIDGE_PORT=x\n")
    arguments = ["bridge", "run", "--proxy-token", TOKEN]
    unread = command(*arguments, folder=tmp_path)
    assert unread.returncode == 2 and "remoteUrl: is not set" in unread.stderr
    assert f"clawgate: {tmp_path / '.env'}: it is not read" in unread.stderr
    named = command(*arguments, "--env-file", "my.env", folder=tmp_path)
    assert "clawgate: environment file read: my.env\n" in named.stderr
    assert "bridgePort (PROXY_BRIDGE_PORT in my.env): must be" in named.stderr


@pytest.mark.parametrize("where", ["state/.env", "my.env"])
def test_variables_that_others_can_read_stop_it(tmp_path: Path, where: str) -> None:
    (tmp_path / "state").mkdir(0o700)
    path = write_private(tmp_path / where, f"PROXY_BRIDGE_TOKEN={TOKEN}\n", 0o644)
    arguments = ["--env-file", str(path)] if where == "my.env" else []
    found = command(
        "bridge",
        "run",
        "--remote-url",
        "http://h",
        *arguments,
        folder=tmp_path,
        environment={"OPENCLAW_STATE_DIR": "state"},
    )
    assert found.returncode == 2 and "listening" not in found.stderr and TOKEN not in found.stderr
    says = f"{where}: other users have access to it (mode 0644); run: chmod 600 "
    assert says in found.stderr


@pytest.mark.parametrize(
    ("config", "environment", "says"),
    [
        ({}, {}, "remoteUrl: is not set"),
        ({"remoteUrl": "nowhere"}, {}, "remoteUrl"),
        ({"remoteUrl": f"http://u:{TOKEN}@h"}, {}, "remoteUrl"),
        ({"remoteUrl": "https://h"}, {}, "proxyToken: is not set"),
        ({"remoteUrl": "https://h", "proxyToken": f"{TOKEN} x"}, {}, "proxyToken"),
        ({"remoteUrl": "https://h", "proxyToken": "${UNSET_HERE}"}, {}, "UNSET_HERE"),
        ({"remoteUrl": "https://h", "proxyToken": TOKEN, "caFile": "/no/such/file"}, {}, "caFile"),
        ({"remoteUrl": "https://h", "proxyToken": TOKEN, "host": "0.0.0.0"}, {}, "--bridge-token"),
        ({"remoteUrl": "https://h", "proxyToken": TOKEN, "remotUrl": TOKEN}, {}, "did you mean 'remoteUrl'"),
        ({"remoteUrl": "https://h", "proxyToken": TOKEN, "maxBodyMb": 0}, {}, "maxBodyMb"),
        ({"remoteUrl": "https://h"}, {"PROXY_BRIDGE_TOKEN": f'"{TOKEN}"'}, "PROXY_BRIDGE_TOKEN"),
    ],
)  # fmt: skip
def test_started_by_a_host_it_listens_and_every_request_gets_what_is_wrong(
    tmp_path: Path, config: dict[str, object], environment: dict[str, str], says: str
) -> None:
    """The port is that of the settings, no secret is shown, and the end of standard input ends it."""
    port = free_port()
    path = tmp_path / "openclaw.json"
    path.write_text(
        json.dumps({"plugins": {"entries": {"proxy-bridge": {"config": config | {"bridgePort": port}}}}})
    )
    with hosted(tmp_path, str(path), environment) as process:
        shown = read_until(process, "listening on")
        status, body = posted(port, "/v1/chat/completions")
        health_status, health = posted(port, "/health", None)
        assert process.stdin is not None and process.poll() is None
        process.stdin.close()
        assert process.wait(60) == 0 and process.stderr is not None
        shown += process.stderr.read()
    assert status == 400 and says in json.loads(body)["error"]["message"] and says in shown
    found = json.loads(health)
    assert (health_status, found["ok"], found["instance"]) == (503, False, "an-instance") and says in found[
        "message"
    ]
    assert "invalid configuration:" in shown and f"listening on http://127.0.0.1:{port} -> no remote" in shown
    assert "Traceback" not in shown and "canary" not in shown + body + health


@pytest.mark.parametrize("folder", ["unreadable", "variables"])
def test_started_by_a_host_files_that_cannot_be_used_are_shown_to_every_request(
    tmp_path: Path, folder: str
) -> None:
    """The port of a file that is no JSON5 cannot be known; a variable may still name it."""
    port = free_port()
    path = write_private(tmp_path / "openclaw.json", "{ nonsense")
    environment = {"PROXY_BRIDGE_PORT": str(port), "OPENCLAW_STATE_DIR": str(tmp_path)}
    if folder == "variables":
        block = {"remoteUrl": "https://h", "proxyToken": TOKEN, "bridgePort": port}
        path.write_text(json.dumps({"plugins": {"entries": {"proxy-bridge": {"config": block}}}}))
        write_private(tmp_path / ".env", f"A={TOKEN}\n", 0o644)
        del environment["PROXY_BRIDGE_PORT"]
    with hosted(tmp_path, str(path), environment) as process:
        read_until(process, "listening on")
        status, body = posted(port, "/v1/messages")
    assert status == 400 and json.loads(body)["type"] == "error" and "canary" not in body
    assert ("chmod 600" if folder == "variables" else "it is not JSON5") in body


def test_started_by_a_host_where_it_cannot_listen_it_ends_with_what_is_wrong(tmp_path: Path) -> None:
    """The host shows the last line, and starts nothing again after this status."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = command("bridge", "run", *HOST, "--port", port, folder=tmp_path)
    assert found.returncode == 2 and f"port {port} on 127.0.0.1 is already in use" in found.stderr
    assert "proxyToken: is not set" in found.stderr.splitlines()[-1], found.stderr


@contextmanager
def hosted(folder: Path, config: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The bridge as a package for OpenClaw starts it; killed at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "clawgate", "bridge", "run", "--config", config, *HOST],
        env=kept | {"HOME": str(folder)} | environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    shown = ""
    for line in process.stderr:
        shown += line
        if text in line:
            return shown
    raise AssertionError(f"it ended: {shown}")


def posted(port: int, path: str, body: bytes | None = b"{}") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("POST" if body else "GET", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
