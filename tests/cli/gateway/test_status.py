"""`gateway status` and `health`: true in every state, for people, for programs, and for scripts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clawgate import __version__
from clawgate.cli.gateway.status import to_lines
from clawgate.processes.instance.instance_lock import Instance
from tests.cli.gateway_home import TOKEN, Home
from tests.e2e.waiting import poll


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as model:
        made.configure(upstream=model.getsockname()[1])
        yield made
        made.close()


def status(home: Home, *arguments: str) -> dict[str, Any]:
    done = home.gateway("status", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_of_one_that_runs(home: Home) -> None:
    home.gateway("start")
    running, found = home.running(), status(home, "--require-ok")
    assert found["runtime"]["status"] == "running" and found["runtime"]["pid"] == running.pid
    assert found["gateway"]["url"] == running.url and found["gateway"]["port"] == running.port
    assert found["probe"]["ok"] and found["config"]["valid"] and found["logFile"] == str(home.log)
    text = home.gateway("status").stdout
    for wanted in (
        "Service: ",
        f"State dir: {home.state}",
        f"Config: {home.state / 'openclaw.json'} (valid)",
        f"Gateway: bind=loopback (127.0.0.1), port={running.port}",
        f"Listening: {running.url}",
        f"CLI version: {__version__}",
        f"Gateway version: {__version__}",
        f"Runtime: running (pid {running.pid}, since ",
        "Connectivity probe: ok (",
        f"Log file: {home.log}",
    ):
        assert wanted in text
    assert TOKEN not in text + json.dumps(found)
    healthy = home.gateway("health")
    assert healthy.returncode == 0
    first, second = healthy.stdout.splitlines()
    assert first == "Gateway Health" and second.startswith("OK (") and second.endswith("ms)")


def test_one_that_admits_no_caller_is_not_healthy_until_its_config_is_corrected(home: Home) -> None:
    path = home.state / "openclaw.json"
    home.gateway("start")
    good = path.read_text()
    path.write_text("{ gateway: ")
    poll(lambda: home.gateway("health").returncode == 1, "the broken file to count")
    assert f"it admits no caller until its config is corrected: {path}:1:" in home.gateway("health").stdout
    failed = home.gateway("status", "--require-ok")
    assert failed.returncode == 1 and "probe: failed (it admits no caller" in failed.stdout
    path.write_text(good)
    poll(lambda: home.gateway("health").returncode == 0, "the correction to count")


def test_of_one_that_does_not_run(home: Home) -> None:
    """`status` ends with 0 whatever it finds, as OpenClaw's does, unless it is asked to judge."""
    home.configure(port=1)
    found = status(home)
    assert found["runtime"] == {"status": "stopped"} and not found["probe"]["ok"]
    assert found["probe"]["error"] == "nothing listens there" and found["logFile"] is None
    required = home.gateway("status", "--require-ok")
    assert required.returncode == 1 and "next: clawgate gateway start" in required.stdout
    for arguments in ([], ["--json"]):
        unhealthy = home.gateway("health", *arguments)
        assert unhealthy.returncode == 1 and "nothing listens there" in unhealthy.stdout


def test_of_one_that_is_still_starting(home: Home) -> None:
    instance = Instance.claim(home.state / "clawgate")
    found = status(home)
    instance.release()
    assert found["runtime"]["status"] == "starting" and found["probe"]["error"] == "it does not serve yet"


def test_what_has_its_place_is_not_taken_for_it(home: Home) -> None:
    """It announced itself, and somebody else answers there, or nobody in time."""
    instance = Instance.claim(home.state / "clawgate")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        instance.announce(f"http://127.0.0.1:{port}", port, home.state / "openclaw.json", None)
        done = home.gateway("health", "--timeout", "0.1")
    instance.release()
    assert done.returncode == 1 and "no response within 0.1 s" in done.stdout


def test_of_a_config_that_cannot_be_used(home: Home) -> None:
    home.write("{gateway: {port: 'x'}}")
    found = status(home)
    assert not found["config"]["valid"] and "gateway.port" in found["config"]["problems"][0]
    text = home.gateway("status").stdout
    assert "invalid, 1 problem(s)" in text and "next: clawgate doctor" in text


def test_status_reports_a_config_that_would_reject_every_request(home: Home) -> None:
    home.write("{gateway: {bind: 'lan'}}")
    text = home.gateway("status").stdout
    assert "would not start: gateway.auth" in text and "next: clawgate doctor" in text


def test_a_token_that_is_made_at_the_start_is_no_problem(home: Home) -> None:
    home.write("{}")
    text = home.gateway("status").stdout
    assert "would not start" not in text and "next: clawgate gateway start" in text


def test_status_names_the_owner_of_the_port() -> None:
    found: dict[str, Any] = {
        "service": {"kind": "systemd", "state": "active"},
        "stateDir": "/s",
        "config": {"path": "/c", "exists": False, "valid": True, "problems": []},
        "gateway": {
            "bind": "lan",
            "host": "0.0.0.0",
            "port": 5,
            "url": None,
            "portOwner": "node (pid 3)",
            "wouldNotStart": [],
            "notes": [],
        },
        "runtime": {"status": "stopped"},
        "probe": {"ok": False, "error": "what answers there is no clawgate"},
        "models": {"ok": False, "error": None, "failing": {}},
        "cli": {"version": "1"},
        "logFile": None,
    }
    text = "\n".join(to_lines(found))
    assert "Port 5 is in use by node (pid 3)" in text and "does not exist; using defaults" in text
    assert "next: clawgate doctor" in text  # a start would fail
    assert "Log file: none yet" in text and "Service: systemd (active)" in text


class _Imitation(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(
            {"ok": True, "status": "live", "version": "1", "role": "gateway", "instance": "x"}
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def test_another_program_on_the_configured_port_is_not_our_gateway(home: Home) -> None:
    """It responds as a healthy gateway does; a script that checks the health of ours must not be content with it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Imitation) as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            home.configure(port=other.server_address[1])
            health, found = home.gateway("health"), status(home)
            required = home.gateway("status", "--require-ok")
        finally:
            other.shutdown()
            thread.join()
    assert health.returncode == 1 == required.returncode and "OK (" not in health.stdout
    assert "the gateway of this state folder is not running; another clawgate responded" in health.stdout
    assert "next: clawgate doctor" in health.stdout and "gateway start" not in health.stdout
    assert not found["probe"]["ok"] and found["runtime"]["status"] == "stopped"
