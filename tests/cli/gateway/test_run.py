"""``clawgate gateway run`` in the foreground: it serves the config, or prints all its problems."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gateway_home import TOKEN, Home
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.private_file import write_private

OTHER = "canary-another-Wm4yRb8TqLz6Hd1s"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.configure()
    yield made
    made.close()


def serving(home: Home, *arguments: str) -> subprocess.Popen[bytes]:
    """`gateway run`, once it serves."""
    process = home.begin("gateway", "run", *arguments)

    def up() -> bool:
        assert process.poll() is None, process.communicate()
        found = home.find_instance()
        return found is not None and found.url is not None

    poll(up, "the gateway to serve")
    return process


def ended(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(how)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_stopped(how: signal.Signals, home: Home) -> None:
    """It can be found while it serves and not afterwards; it ends with 0 and tells where it was."""
    process = serving(home)
    found = home.running()
    assert found.pid == process.pid
    status, body = home.ask("/health")
    assert status == 200 and json.loads(body)["instance"] == found.instance
    assert home.ask("/v1/models")[0] == 200
    code, out, err = ended(process, how)
    assert code == 0 and home.find_instance() is None
    assert f"curl -N {found.url}/v1/chat/completions " in out and TOKEN not in out
    assert f"http server listening on {found.url} (providers: " in err and "Traceback" not in err


def test_flags_win_over_the_file(home: Home) -> None:
    home.configure(port=1, auth={"token": "another-token-than-that-of-the-flag"})
    process = serving(home, "--port", "0", "--token", TOKEN, "--bind", "127.0.0.2")
    url = home.running().url
    assert url is not None and url.startswith("http://127.0.0.2:")
    code, _, err = ended(process)
    assert code == 0 and TOKEN not in err
    assert "--token: other users can read it in the process list" in err


def test_variables_come_from_the_file_that_is_named(home: Home) -> None:
    """And those of the process win."""
    home.configure(auth={"mode": "token", "token": "${GATE_TOKEN}"})
    assert home.gateway("run").returncode == 2
    variables = write_private(home.folder / "own.env", f"GATE_TOKEN={TOKEN}\n")
    process = serving(home, "--env-file", str(variables))
    assert home.ask("/v1/models")[0] == 200
    code, _, err = ended(process)
    assert code == 0 and f"environment file read path={variables}" in err


@pytest.mark.parametrize("where", [".env", "own.env"])
def test_variables_that_others_can_read_stop_it(home: Home, where: str) -> None:
    """Whether they are needed or not, and the commands that write the config as well."""
    home.configure()
    path = write_private((home.state if where == ".env" else home.folder) / where, "A=b\n", 0o640)
    named = ["--env-file", str(path)] if where == "own.env" else []
    done = home.gateway("run", *named)
    assert done.returncode == 2 and home.find_instance() is None
    says = f"{path}: other users have access to it (mode 0640); run: chmod 600 {path}"
    assert says in done.stderr
    if not named:
        assert says in home.run("config", "set", "gateway.port", "5").stderr
        for command in (("gateway", "start"), ("models", "list"), ("config", "explain", "gateway.port")):
            done = home.run(*command)
            assert done.returncode == 2 and says in done.stderr, command
        assert home.gateway("stop").returncode == 0


def test_what_another_user_can_change_is_logged_at_start(home: Home) -> None:
    """And so is a `.env` of the working folder, which is not read."""
    (home.folder / ".env").write_text("OPENCLAW_GATEWAY_PORT=1\n")
    config = home.state / "openclaw.json"
    config.chmod(0o666)
    process = serving(home)
    code, _, err = ended(process)
    assert code == 0
    assert f"{config}: other users can change it (mode 0666); run: chmod 600 {config}" in err
    assert f"{home.folder / '.env'}: it is not read" in err


def test_all_problems_are_printed_and_nothing_is_left(home: Home) -> None:
    """On standard error, with status 2, and no secret among it."""
    home.configure(bind="tailnet", auth={"mode": "token"})
    done = home.gateway("run", OPENCLAW_GATEWAY_PORT="x", OPENCLAW_GATEWAY_TOKEN=f"{OTHER} ")
    assert (done.returncode, done.stdout) == (2, "")
    for part in ("gateway.bind", "gateway.port", "gateway.auth"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr and OTHER not in done.stderr and home.find_instance() is None


@pytest.mark.parametrize("text", ["{", "[]", '{"gateway": {"port": "many"}}'])
def test_a_file_that_cannot_be_read_is_named_with_its_line(text: str, home: Home) -> None:
    home.write(text)
    done = home.gateway("run")
    assert done.returncode == 2 and "openclaw.json:1" in done.stderr and "Traceback" not in done.stderr


def test_a_config_that_was_named_has_to_be_there(home: Home) -> None:
    done = home.gateway("run", "--config", str(home.folder / "nowhere.json"))
    assert done.returncode == 2 and "the file does not exist; name another" in done.stderr


def test_there_is_one_for_each_state_folder(home: Home) -> None:
    """The second one says who is first, and leaves it alone."""
    first = serving(home)
    done = home.gateway("run")
    assert done.returncode == 78 and f"pid {first.pid}" in done.stderr and "gateway stop" in done.stderr
    assert home.ask()[0] == 200
    assert ended(first)[0] == 0


def test_a_port_that_is_taken_is_named(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = home.gateway("run", "--port", str(port))
    assert done.returncode == 78 and f"port {port} on 127.0.0.1 is already in use" in done.stderr
    assert home.find_instance() is None


@pytest.mark.parametrize(
    "gateway",
    [
        {"bind": "lan", "auth": {"mode": "none"}},
        {"bind": "lan", "auth": {"token": "short-1"}},
        {"auth": {"token": "short-1"}},
        {"auth": {"password": "short-1"}},
        {"auth": {"token": "short-1short-1short-1"[:15]}},
    ],
)
def test_it_does_not_open_itself_to_everybody(gateway: dict[str, Any], home: Home) -> None:
    home.configure(**gateway)
    done = home.gateway("run")
    assert done.returncode == 2 and "gateway.auth" in done.stderr and "short-1" not in done.stderr
    assert "mode" in gateway["auth"] or "clawgate server new-token" in done.stderr


def test_a_log_file_is_the_owners_alone(home: Home) -> None:
    """It stands in the place of standard error, and holds no secret."""
    file = home.folder / "gateway.log"
    process = serving(home, "--verbose", "--log-file", str(file))
    assert home.ask("/v1/chat/completions", {"model": f"x/{TOKEN}"})[0] == 404
    code, _, err = ended(process)
    text = file.read_text()
    assert (code, err) == (0, "") and file.stat().st_mode & 0o777 == 0o600
    assert "POST /v1/chat/completions: 404 model_not_found" in text and TOKEN not in text


def test_an_unwritable_log_file_is_an_error(home: Home) -> None:
    done = home.gateway("run", "--log-file", str(home.folder))
    assert done.returncode == 2 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_an_unusable_state_folder_is_an_error(home: Home) -> None:
    """A file stands where the folder should be."""
    blocked = home.folder / "blocked"
    blocked.write_text("")
    done = home.gateway("run", OPENCLAW_STATE_DIR=str(blocked), OPENCLAW_GATEWAY_TOKEN=TOKEN)
    assert done.returncode == 2 and "set OPENCLAW_STATE_DIR" in done.stderr and "Traceback" not in done.stderr
