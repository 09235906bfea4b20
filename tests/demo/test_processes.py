"""Children start with a minimal environment, say why they cannot, and always end."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from demo.processes import CannotStart, environment, free_port, start, stop, wait_until_ready

SERVE = """
import http.server, signal, sys
if sys.argv[2:]: signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


def test_the_environment_is_minimal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the user's environment only a few names pass, and every home points into the folder."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("OPENCLAW_CONFIG_PATH", "/home/user/.openclaw/openclaw.json")
    given = environment(tmp_path)
    assert given["PATH"] == os.environ["PATH"]
    assert "OPENAI_API_KEY" not in given
    assert "HTTPS_PROXY" not in given
    for name in ("HOME", "OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH"):
        assert Path(given[name]).is_relative_to(tmp_path)


def test_a_child_gets_only_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A child sees what it is given, nothing else of ours, and starts in a folder of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    script = "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ['GIVEN'], os.listdir())"
    child = start("env", [sys.executable, "-c", script], 0, tmp_path, {"GIVEN": "yes"})
    assert child.process.wait(120) == 0
    assert child.last_lines() == "None yes ['.openclaw']"
    stop([child], print)


def test_a_config_that_is_there_stays(tmp_path: Path) -> None:
    """A child is given an empty config only where nobody wrote one."""
    config = Path(environment(tmp_path / "home")["OPENCLAW_CONFIG_PATH"])
    config.parent.mkdir(parents=True)
    config.write_text("{ models: {} }")
    child = start("any", [sys.executable, "-c", ""], 0, tmp_path, {})
    stop([child], print)
    assert config.read_text() == "{ models: {} }"


def test_ready_and_stopped(tmp_path: Path) -> None:
    """A child is ready once /health is 200, and is gone after a SIGTERM."""
    port = free_port(0, "")
    child = start("good", [sys.executable, "-c", SERVE, str(port)], port, tmp_path, {})
    try:
        assert wait_until_ready(child, "--x") > 0
        assert child.died() == ""
    finally:
        stop([child], print)
    assert child.process.returncode == -signal.SIGTERM
    assert "ended by signal 15" in child.died()


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the limit a child is killed, and that is said."""
    port = free_port(0, "")
    child = start("stubborn", [sys.executable, "-c", SERVE, str(port), "ignore"], port, tmp_path, {})
    said: list[str] = []
    try:
        wait_until_ready(child, "--x")
    finally:
        stop([child], said.append, limit=0.05)
    assert child.process.returncode == -signal.SIGKILL
    assert said == ["stubborn did not stop within 0.05 s and was killed"]


def test_a_child_that_dies_says_why(tmp_path: Path) -> None:
    """The exit code and the last lines of a child that dies at its start are in the reason."""
    script = "import sys; print('early'); sys.exit('the reason')"
    child = start("bad", [sys.executable, "-c", script], 1234, tmp_path, {})
    with pytest.raises(CannotStart, match=r"(?s)bad \(port 1234\) ended with exit code 1.*the reason"):
        wait_until_ready(child, "--x")
    stop([child], print)


def test_exit_code_78_is_a_taken_port(tmp_path: Path) -> None:
    """The code for a taken port becomes the one line about it."""
    child = start("bad", [sys.executable, "-c", "raise SystemExit(78)"], 1, tmp_path, {})
    with pytest.raises(CannotStart, match=r"^port 1 is in use by .*; choose another one with --x PORT$"):
        wait_until_ready(child, "--x")
    stop([child], print)


def test_a_child_that_is_never_ready(tmp_path: Path) -> None:
    """Without a healthy answer the wait ends with the child's last lines."""
    port = free_port(0, "")
    child = start("slow", [sys.executable, "-c", "input()"], port, tmp_path, {})
    with pytest.raises(CannotStart, match=r"slow is not ready after 0\.1 s"):
        wait_until_ready(child, "--x", limit=0.1)
    stop([child], print)


def test_free_port() -> None:
    """A free port is given back, 0 becomes one, and a taken one is refused with the way out."""
    port = free_port(0, "")
    assert free_port(port, "") == port
    with socket.create_server(("127.0.0.1", 0)) as sock:
        taken = sock.getsockname()[1]
        with pytest.raises(CannotStart) as caught:
            free_port(taken, "--server-port")
    assert str(caught.value).startswith(f"port {taken} is in use by ")
    assert str(caught.value).endswith("choose another one with --server-port PORT")
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in str(caught.value)
