"""The demo as a person meets it: a program that shows one answer, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import PROMPT
from demo.models import openai_server as model
from demo.models.openai_chat import reply_text
from tests.e2e.waiting import poll

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-P", "-m", "demo"]
ROOT = Path(__file__).parents[2]
ANY_PORTS = ["--gateway-port", "0", "--bridge-port", "0", "--server-port", "0"]


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder and home are the test's, with a config that nobody may read."""
    (tmp_path / "home" / ".openclaw").mkdir(parents=True)
    (tmp_path / "home" / ".openclaw" / "openclaw.json").write_text("{ broken")
    (tmp_path / "tmp").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "OPENCLAW"))}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}


@contextlib.contextmanager
def running(
    arguments: list[str], env: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, int]]]:
    """The demo up to its last line: the process, what it said, and the ports by name."""
    with subprocess.Popen(
        [*COMMAND, *ANY_PORTS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("Running."):
                    break
            ports = re.findall(r"^  (\w+) +http://127\.0\.0\.1:(\d+)", said, re.MULTILINE)
            assert process.poll() is None and "\nRunning." in said, said
            yield process, said, {name: int(port) for name, port in ports}
        finally:
            process.kill()


def refuses(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(5)
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_once(surroundings: dict[str, str], tmp_path: Path) -> None:
    """`--once` shows the exact text of both models, exits 0, and touches neither home nor the temporary folder."""
    done = subprocess.run(
        [*COMMAND, *ANY_PORTS, "--once"],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(reply_text(PROMPT)) == 2
    assert [path.name for path in (tmp_path / "home").rglob("*")] == [".openclaw", "openclaw.json"]
    assert (tmp_path / "home" / ".openclaw" / "openclaw.json").read_text() == "{ broken"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_it_stays_until_interrupted(surroundings: dict[str, str]) -> None:
    """It names its ports, shows times and lines to paste, ends with 0 on SIGINT, and frees the ports."""
    with running([], surroundings) as (process, said, ports):
        assert list(ports) == ["model", "claude", "server", "bridge", "gateway"]
        assert "Medians of 30 requests" in said
        times = said[said.index("in milliseconds") :]
        assert re.findall(r"^  (\w+) +[\d.]+", times, re.MULTILINE) == [
            "model",
            "server",
            "bridge",
            "gateway",
        ]
        assert f"curl -N http://127.0.0.1:{ports['gateway']}/v1/chat/completions" in said
        assert f"curl http://127.0.0.1:{ports['gateway']}/v1/messages" in said
        assert f'OpenAI(base_url="http://127.0.0.1:{ports["gateway"]}/v1"' in said
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert [name for name, port in ports.items() if not refuses(port)] == []


@pytest.mark.parametrize("proxy", [{}, {"http_proxy": "http://127.0.0.1:1"}], ids=["", "proxy"])
def test_the_pasted_lines_work(surroundings: dict[str, str], tmp_path: Path, proxy: dict[str, str]) -> None:
    """The SDK snippet and the curl commands do what they promise, also where the environment names a proxy."""
    env = surroundings | proxy
    with running([], env) as (_, said, _ports):
        snippet = said[said.index("from openai import") : said.index("The bridge alone")]
        script = tmp_path / "snippet.py"
        script.write_text(snippet)
        shown = subprocess.run(
            [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=120, check=True
        )
        assert shown.stdout == reply_text(PROMPT)
        chat, messages = [line for line in said.splitlines() if line.startswith("curl ")]
        shown = subprocess.run(
            ["bash", "-c", chat], env=env, capture_output=True, text=True, timeout=120, check=True
        )
        assert shown.stdout.endswith("data: [DONE]\n\n")
        shown = subprocess.run(
            ["bash", "-c", messages], env=env, capture_output=True, text=True, timeout=120, check=True
        )
        assert json.loads(shown.stdout)["content"][0]["text"] == reply_text(PROMPT)


@pytest.mark.parametrize(
    ("output", "status", "errors"),
    [
        (">/dev/full", 1, "clawgate: standard output cannot be written: No space left on device\n"),
        ("| true", 1, ""),
        (">&-", 0, ""),
    ],
)
def test_output_that_cannot_be_written_ends_it_without_a_traceback(
    surroundings: dict[str, str], tmp_path: Path, output: str, status: int, errors: str
) -> None:
    """As it does each command of clawgate."""
    command = f"{shlex.join([*COMMAND, *ANY_PORTS, '--once'])} {output}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=surroundings, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (status, errors)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_kill_9_leaves_no_process(surroundings: dict[str, str]) -> None:
    """When the demo is killed without a chance to clean up, every child ends by itself."""
    with contextlib.ExitStack() as stack:
        process, _, ports = stack.enter_context(running([], surroundings))
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for port in ports.values()
        ]
        process.kill()
        # Their end is the end of these connections; none of them has a reason to end these so soon otherwise.
        assert [sock.recv(1) for sock in held] == [b""] * 5
        # A process that drains may keep its port a little longer than its connections.
        poll(lambda: all(refuses(port) for port in ports.values()), "every port to be free")


def test_taken_port(surroundings: dict[str, str]) -> None:
    """A taken port is one line with the port and the flag, and exit code 1, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, *ANY_PORTS, "--server-port", str(port)],
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"clawgate demo: port {port} is in use by .+; choose another one with --server-port PORT\n",
        done.stderr,
    )


def test_with_a_key_it_costs_one_request(surroundings: dict[str, str]) -> None:
    """With OPENAI_API_KEY the upstream gets that key, exactly one request, and no timing rounds."""
    app = model.build_model(api_key="sk-of-the-user")
    with model.running(app) as url:
        env = {**surroundings, "OPENAI_API_KEY": "sk-of-the-user", "OPENAI_BASE_URL": f"{url}/v1"}
        with running([], env) as (_, said, ports):
            assert list(ports) == ["claude", "server", "bridge", "gateway"]
            assert "sk-of-the-user" not in said
        assert [(seen.method, seen.path) for seen in app.state.seen] == [("POST", "/v1/chat/completions")]
        assert dict(app.state.seen[0].headers)["authorization"] == "Bearer sk-of-the-user"


def test_a_wrong_key_is_not_a_success(surroundings: dict[str, str]) -> None:
    """When the upstream refuses, `--once` exits 1, says what came, and keeps the logs."""
    with model.running(model.build_model(api_key="another")) as url:
        env = {**surroundings, "OPENAI_API_KEY": "sk-wrong-key", "OPENAI_BASE_URL": f"{url}/v1"}
        done = subprocess.run(
            [*COMMAND, *ANY_PORTS, "--once"], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert "the response arrived incomplete: status 401" in done.stderr
    assert "sk-wrong-key" not in done.stdout + done.stderr
    folder = Path(done.stderr.strip().splitlines()[-1].removeprefix("The logs are kept in "))
    assert {log.name for log in folder.glob("*.log")} == {
        "claude.log",
        "server.log",
        "bridge.log",
        "gateway.log",
    }


def test_offline_spends_nothing(surroundings: dict[str, str]) -> None:
    """With `--offline` a key in the environment is not used."""
    app = model.build_model()
    with model.running(app) as url:
        env = {**surroundings, "OPENAI_API_KEY": "sk-of-the-user", "OPENAI_BASE_URL": f"{url}/v1"}
        done = subprocess.run(
            [*COMMAND, *ANY_PORTS, "--once", "--offline"],
            env=env,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert list(app.state.seen) == []
