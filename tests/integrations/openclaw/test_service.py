"""The service of the package `proxy-bridge` in Node alone, which starts faster than OpenClaw: twenty can be killed."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.integrations.openclaw.host import PACKAGES, engines, longest_cold_start
from tests.integrations.openclaw.remote import MODEL, TOKEN, serve_remote
from tests.ports import free_port

PROGRAM = Path(__file__).with_name("service_program.mjs")
KILLS = 20
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    return tmp_path


def configure(home: Path, remote_url: str | None) -> int:
    """Write the config; return the port of the bridge."""
    port = free_port()
    settings = {"proxyToken": TOKEN, "bridgePort": port} | ({"remoteUrl": remote_url} if remote_url else {})
    path = home / ".openclaw" / "openclaw.json"
    path.write_text(json.dumps({"plugins": {"entries": {"proxy-bridge": {"config": settings}}}}))
    path.chmod(0o600)
    return port


@contextmanager
def service(home: Path, path: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """The service in a process of its own, killed at the end."""
    found = f"{Path(sys.executable).parent}:{os.environ['PATH']}" if path is None else path
    process = subprocess.Popen(
        [str(NODE), str(PROGRAM), str(PACKAGES / "proxy-bridge" / "index.js"), str(home / ".openclaw"), "1"],
        env={"HOME": str(home), "PATH": found},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], *texts: str) -> str:
    """Read until each of these was shown, in any order."""
    assert process.stdout is not None
    shown = ""
    while not all(text in shown for text in texts):
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        data = os.read(process.stdout.fileno(), 65_536) if ready else b""
        assert data, f"silent since:\n{shown}"
        shown += data.decode()
    return shown


def test_killed_twenty_times_it_leaves_no_bridge_and_starts_again(home: Path) -> None:
    with serve_remote() as remote:
        port = configure(home, remote.url)
        took = []
        for _ in range(KILLS):
            with service(home) as process:
                took += re.findall(r"started in (\d+) ms", until(process, "listening on", "started in"))
                request = Request(f"http://127.0.0.1:{port}/v1/models")
                with urlopen(request, timeout=60) as response:
                    assert MODEL in response.read().decode()
            poll(lambda: engines(home) == [], "the bridge to end")
    stored = json.loads((home / ".openclaw" / "clawgate" / "engine.json").read_text())
    assert Path(stored["python"]).is_absolute()
    assert len(took) == KILLS and min(map(int, took)) < 1000 * longest_cold_start(), took


def stand_in(home: Path, line: str) -> None:
    """Put a program in place of the engine that prints one line, and ends with its standard input."""
    python = home / "python"
    python.write_text(f"#!/bin/sh\necho '{line}'\nexec cat >/dev/null\n")
    python.chmod(0o700)
    (home / ".openclaw" / "clawgate").mkdir(mode=0o700)
    (home / ".openclaw" / "clawgate" / "engine.json").write_text(json.dumps({"python": str(python)}))


def test_an_engine_that_gives_no_response_at_once_is_not_another_program(home: Path) -> None:
    """As on a busy machine. This one closes the first two connections."""

    def serve(listener: socket.socket) -> None:
        for response in (b"", b"", b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"ok":true}'):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(response)

    configure(home, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stand_in(home, f"clawgate bridge listening on http://127.0.0.1:{listener.getsockname()[1]} -> far")
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with service(home) as process:
            shown = until(process, "proxy-bridge: ")
            thread.join()
    assert "proxy-bridge: listening on http" in shown and "another program" not in shown


def test_a_port_to_which_openclaw_does_not_connect_is_named(home: Path) -> None:
    """The engine listens there, and nobody else would say why there is no response."""
    configure(home, "http://127.0.0.1:9")
    stand_in(home, "clawgate bridge listening on http://127.0.0.1:10080 -> far")
    with service(home) as process:
        until(process, "http://127.0.0.1:10080: OpenClaw does not connect to this port; set another port")


def test_the_start_does_not_take_so_long_that_the_host_undoes_it(home: Path) -> None:
    """OpenClaw 2026.9.6 gives it 5 s; this engine never serves, and ends with its standard input."""
    configure(home, "http://127.0.0.1:9")
    stand_in(home, "")
    with service(home) as process:
        (milliseconds,) = re.findall(r"started in (\d+) ms", until(process, "started in"))
    assert int(milliseconds) < 5000


def test_invalid_settings_are_the_response_to_every_request_at_once(home: Path) -> None:
    """OpenClaw tries a refused connection again for 80 s, and shows a 400 with the reason."""
    port = configure(home, None)
    with service(home) as process:
        shown = until(process, "every request fails", "started in")
        for path, kind in (("chat/completions", None), ("messages", "error")):
            request = Request(
                f"http://127.0.0.1:{port}/v1/{path}", b"{}", {"content-type": "application/json"}
            )
            with pytest.raises(HTTPError) as refused:
                urlopen(request, timeout=60)
            body = json.loads(refused.value.read())
            assert (refused.value.code, body.get("type")) == (400, kind)
            assert "remoteUrl: is not set" in body["error"]["message"]
        assert len(engines(home)) == 1
    poll(lambda: engines(home) == [], "the bridge to end")
    assert "every request fails until this is fixed: invalid configuration: remoteUrl: is not set" in shown
    assert "another program" not in shown and TOKEN not in shown


def test_a_taken_port_is_named_and_waited_for(home: Path) -> None:
    with serve_remote() as remote:
        port = configure(home, remote.url)
        with serve_remote(port), service(home) as process:
            shown = until(process, "is already in use")
        assert str(port) in shown


def test_without_python_it_says_what_to_install(home: Path) -> None:
    configure(home, "http://127.0.0.1:9")
    with service(home, path=str(home)) as process:
        shown = until(process, "install")
    assert "Python is not installed; install Python 3.11 or newer and clawgate" in shown
