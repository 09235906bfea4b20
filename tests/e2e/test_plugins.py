"""A gateway process with plugins of its own: their programs live and die with it, and none stops the others."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.bundled.anthropic_claude_proxy.host import command
from tests.e2e.gateway_stand import GATEWAY_TOKEN, config_of, write_config
from tests.e2e.processes import Process, environment, is_listening, started
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.ports import free_port
from tests.processes.supervised import is_there

CLAUDE = "anthropic-claude-proxy"
pytestmark = pytest.mark.timeout(280)
WORDS = [sys.executable, "-m", "clawgate", "gateway", "run", "--verbose"]
ASK: Any = [{"role": "user", "content": "ping"}]


def config(port: int, *options: str) -> dict[str, Any]:
    block = {
        "baseUrl": f"http://127.0.0.1:{port}",
        "api": "anthropic-messages",
        "request": {"allowPrivateNetwork": True},
        "models": [{"id": "claude-opus-4.6", "name": "x"}],
    }
    made = config_of({CLAUDE: block})
    made["gateway"]["port"] = free_port()
    settings = {"port": port, "command": command(*options)}
    made["plugins"] = {"entries": {CLAUDE: {"enabled": True, "config": settings}}}
    return made


def prepared(folder: Path, made: dict[str, Any]) -> tuple[Path, dict[str, str]]:
    """The config file, and the environment that leads to it."""
    env = environment(folder)
    state = Path(env["OPENCLAW_STATE_DIR"])
    state.mkdir(mode=0o700)
    write_config(state / "openclaw.json", made)
    return state / "openclaw.json", env


def answer(process: Process) -> tuple[int, str]:
    """What a client gets now."""
    url = f"{process.url}/v1"
    with openai.OpenAI(base_url=url, api_key=GATEWAY_TOKEN, max_retries=0, timeout=PATIENCE) as client:
        try:
            found = client.chat.completions.create(model=f"{CLAUDE}/claude-opus-4.6", messages=ASK)
        except openai.APIStatusError as error:
            return error.status_code, error.message
        return 200, found.choices[0].message.content or ""


def child_of(env: dict[str, str]) -> int:
    """The pid of the program, which the status has shortly after the first answer."""
    poll(lambda: shown_pid(env) is not None, "the pid of the program")
    return shown_pid(env) or 0


def shown_pid(env: dict[str, str]) -> int | None:
    words = [sys.executable, "-m", "clawgate", CLAUDE, "status", "--json"]
    found = subprocess.run(words, env=env, capture_output=True, timeout=PATIENCE, check=False)
    pid: int | None = (json.loads(found.stdout).get("child") or {}).get("pid")
    return pid


def test_a_gateway_that_is_killed_leaves_no_program_behind(tmp_path: Path) -> None:
    """Not even SIGKILL; and a changed config starts another program, at another port."""
    first, second = free_port(), free_port()
    made = config(first)
    path, env = prepared(tmp_path, made)
    with started(WORDS, tmp_path / "gateway", env) as process:
        poll(lambda: answer(process) == (200, "pong"), "an answer")
        pid = child_of(env)
        changed = config(second)
        changed["gateway"] = made["gateway"]
        write_config(path, changed)
        poll(lambda: is_listening(second) and not is_listening(first), "the other port")
        poll(lambda: answer(process) == (200, "pong"), "an answer of the second program")
        poll(lambda: not is_there(pid), "the end of the first program")
        process.send(signal.SIGKILL)
        process.wait()
        poll(lambda: not is_listening(second), "the end of the program")


@pytest.mark.parametrize(
    ("options", "reason"), [(("--health", "unhealthy"), "claude login"), (("--health", "html"), "")]
)
def test_a_proxy_that_cannot_work_is_a_reason_within_the_answer(
    options: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    """503 at once; what it was told in its page goes to nobody."""
    records = tmp_path / "records"
    _, env = prepared(tmp_path, config(free_port(), *options, "--record", str(records)))
    with started(WORDS, tmp_path / "gateway", env) as process:
        poll(lambda: answer(process)[0] == 503 and reason in answer(process)[1], f"a reason: {reason}")
        assert "Sign in" not in answer(process)[1] and not records.exists()


def test_a_port_that_a_stranger_holds_is_never_asked(tmp_path: Path) -> None:
    """The stranger gets looks at its health at most, and none of what clients say."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        _, env = prepared(tmp_path, config(stranger.getsockname()[1]))
        with started(WORDS, tmp_path / "gateway", env) as process:
            poll(lambda: answer(process)[0] == 503, "a refusal")
            stranger.settimeout(0.05)
            heard = b""
            try:
                while True:
                    connection, _ = stranger.accept()
                    with connection:
                        connection.settimeout(0.05)
                        heard += connection.recv(65_536)
            except OSError:  # nobody else came
                pass
            assert b"POST" not in heard and b"ping" not in heard
