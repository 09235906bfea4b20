"""``clawgate gateway start``: in the background, once, with a token, and with the first request to send."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pyjson5
import pytest

from clawgate.processes.instance.pid_identity import wait_for_exit
from demo.models.openai_server import build_model, running
from tests.cli.gateway_home import TOKEN, Home


def test_started_it_serves_and_stopped_it_is_gone(home: Home) -> None:
    started = home.gateway("start")
    found = home.running()
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout.startswith(
        f"Gateway started: {found.url} (pid {found.pid})\n  log file: {home.log}\n\nFirst request, "
    )
    assert home.ask()[0] == 200 and home.log.exists()
    stopped = home.gateway("stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"Gateway stopped (pid {found.pid}).\n")
    assert home.find_instance() is None and wait_for_exit(found.pid, found.identity, 0)


def test_a_secret_flag_reaches_it_by_its_environment(home: Home) -> None:
    """Neither the command line, which everybody can read, nor any file of ours has it."""
    home.configure(auth={})
    assert home.gateway("start", "--token", TOKEN, "--port", "0").returncode == 0
    found = home.running()
    assert found.flags == ("--port", "0") and home.ask("/v1/models")[0] == 200
    assert TOKEN.encode() not in Path(f"/proc/{found.pid}/cmdline").read_bytes()
    files = [path for path in home.state.rglob("*") if path.is_file()]
    assert len(files) >= 4 and not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_what_it_makes_is_for_its_owner_alone(home: Home) -> None:
    old = os.umask(0)
    try:
        assert home.gateway("start").returncode == 0
    finally:
        os.umask(old)
    folder = home.state / "clawgate"
    made = [folder, *folder.rglob("*")]
    assert len(made) >= 6 and not [path for path in made if path.stat().st_mode & 0o077]


def test_started_twice_it_runs_once(home: Home) -> None:
    """That it runs is what was asked for; with other flags it is not."""
    home.gateway("start")
    first = home.running()
    again, otherwise = home.gateway("start"), home.gateway("start", "--verbose")
    assert again.returncode == 0 and f"already running (pid {first.pid} at {first.url}" in again.stderr
    assert otherwise.returncode == 78 and "started with different flags" in otherwise.stderr
    assert home.running() == first


def test_start_names_the_owner_of_a_taken_port(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = home.gateway("start", "--port", str(port))
    assert started.returncode == 78 and f"port {port} on 127.0.0.1 is already in use" in started.stderr
    assert home.find_instance() is None


def test_what_a_start_failed_of_is_shown(home: Home) -> None:
    home.write("{gateway: {port: 'x'}}")
    started = home.gateway("start")
    assert started.returncode == 2 and "gateway.port" in started.stderr and started.stdout == ""
    assert home.find_instance() is None


def test_killed_it_leaves_nothing_that_is_believed(home: Home) -> None:
    home.gateway("start")
    first = home.running()
    os.kill(first.pid, signal.SIGKILL)
    assert wait_for_exit(first.pid, first.identity, 30)
    assert home.gateway("stop").stdout == "The gateway is not running.\n"
    assert home.gateway("start").returncode == 0 and home.running().pid != first.pid


def curl_line(output: str) -> str:
    return next(line for line in output.splitlines() if line.startswith("curl "))


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_token_is_made_and_the_first_request_works(home: Home) -> None:
    """As on an empty machine: the line that is printed is the one that a person runs."""
    with running(build_model(api_key="local")) as url:
        home.configure(upstream=int(url.rpartition(":")[2]), auth={})
        started = home.gateway("start")
        assert started.returncode == 0, started.stderr
        path = home.state / "openclaw.json"
        token = pyjson5.decode(path.read_text())["gateway"]["auth"]["token"]
        assert (
            f"a token was made: gateway.auth.token in {path}; to print it: clawgate gateway token"
            in started.stdout
        )
        assert token not in started.stdout + started.stderr and path.stat().st_mode & 0o777 == 0o600
        done = subprocess.run(
            ["sh", "-c", curl_line(started.stdout)],
            env={"HOME": str(home.folder), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0 and done.stdout.startswith("data: {") and "[DONE]" in done.stdout, (
            done.stderr
        )
    again = home.gateway("start")
    assert again.returncode == 0 and "a token was made" not in again.stdout
    assert pyjson5.decode(path.read_text())["gateway"]["auth"]["token"] == token


def test_a_start_that_others_would_reach_makes_no_token(home: Home) -> None:
    home.configure(auth={}, bind="lan")
    before = (home.state / "openclaw.json").read_text()
    started = home.gateway("start")
    assert started.returncode == 2 and "every request would be rejected" in started.stderr
    assert (home.state / "openclaw.json").read_text() == before


def test_a_start_that_serves_nothing_says_what_to_set(home: Home) -> None:
    """On the terminal, in the log, and from the commands that check the config."""
    config = pyjson5.decode((home.state / "openclaw.json").read_text())
    config["plugins"] = {"entries": {"clawgate": {"config": {"directModels": False}}}}
    home.write(json.dumps(config))
    started = home.gateway("start")
    key = "plugins.entries.clawgate.config.directModels"
    assert started.returncode == 0 and key in started.stdout and "curl" not in started.stdout
    assert key in home.log.read_text()
    assert key in home.run("config", "validate").stderr and key in home.run("doctor").stdout


def test_where_no_provider_is_ready_the_next_step_is_printed(home: Home) -> None:
    home.write("{gateway: {port: 0}}")
    started = home.gateway("start")
    assert started.returncode == 0 and "No provider is ready" in started.stdout
    assert "clawgate models auth login" in started.stdout and "curl" not in started.stdout


def test_json_has_the_same_facts(home: Home) -> None:
    started = json.loads(home.gateway("start", "--json").stdout)
    found = home.running()
    request = started.pop("firstRequest")
    assert request["model"] == "local/m" and request["curl"].startswith(
        f"curl -N {found.url}/v1/chat/completions "
    )
    assert started == {
        "ok": True, "action": "start", "result": "started", "pid": found.pid, "url": found.url, "port": found.port,
        "logFile": str(home.log), "tokenMadeIn": None,
    }  # fmt: skip
    again = home.gateway("start", "--json")
    assert json.loads(again.stdout)["result"] == "already-running" and again.returncode == 0
    other = home.gateway("start", "--json", "--verbose")
    failure = json.loads(other.stdout)
    assert (other.returncode, failure["ok"], failure["action"]) == (78, False, "start")
    assert "started with different flags" in failure["error"]


def test_json_has_the_reason_of_a_failure(home: Home) -> None:
    home.write("{gateway: {port: 'x'}}")
    started = home.gateway("start", "--json")
    assert started.returncode == 2 and json.loads(started.stdout)["ok"] is False
    assert "gateway.port" in started.stderr
