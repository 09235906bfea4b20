"""`launch` returns when the gateway serves, reports one that exits, and ends one that hangs."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from clawgate.processes.instance.daemon import LaunchFailed, endpoint_of, gateway_command, last_lines, launch
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.processes.instance.pid_identity import wait_for_exit

SERVES = """
import json, sys, os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from clawgate.processes.instance.instance_lock import Instance

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"ok": True, "status": "live", "version": "1", "instance": instance.id}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

instance = Instance.claim(Path(sys.argv[1]))
server = HTTPServer(("127.0.0.1", 0), Handler)
port = server.server_port
instance.announce(f"http://127.0.0.1:{port}", port, Path("c"), None)
print(os.getsid(0) == os.getpid(), os.environ["MARK"], repr(sys.stdin.read()), flush=True)
server.serve_forever()
"""


def start(tmp_path: Path, code: str, *, seconds: float = 30) -> RunningInstance | LaunchFailed:
    return launch(
        [sys.executable, "-c", code, str(tmp_path / "own")],
        tmp_path / "own",
        output=tmp_path / "own" / "logs" / "out",
        environment={"MARK": "given", "PATH": os.environ["PATH"]},
        seconds=seconds,
    )


def test_launch_returns_a_serving_gateway_that_keeps_running(tmp_path: Path) -> None:
    """In a session of its own, without a terminal, with the environment that it was given."""
    found = start(tmp_path, SERVES)
    assert isinstance(found, RunningInstance) and find_instance(tmp_path / "own") == found
    try:
        output = tmp_path / "own" / "logs" / "out"
        assert output.read_text().splitlines()[0] == "True given ''"
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
    finally:
        os.kill(found.pid, signal.SIGKILL)
        os.waitpid(found.pid, 0)


@pytest.mark.parametrize(("code", "status"), [("sys.exit(78)", 78), ("os.kill(os.getpid(), 9)", -9)])
def test_launch_reports_status_and_last_lines_of_a_gateway_that_exits(
    tmp_path: Path, code: str, status: int
) -> None:
    found = start(tmp_path, f"import os, sys; print('this is why', file=sys.stderr, flush=True); {code}")
    assert found == LaunchFailed(status, ("this is why",))


def test_launch_ends_a_gateway_that_does_not_serve_in_time(tmp_path: Path) -> None:
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    found = start(tmp_path, code, seconds=2)
    assert isinstance(found, LaunchFailed) and found.status is None
    for pid in found.last_lines:
        assert not Path(f"/proc/{pid}").exists()


def test_launch_does_not_mistake_another_instance_for_its_own(tmp_path: Path) -> None:
    first = start(tmp_path, SERVES)
    assert isinstance(first, RunningInstance)
    try:
        second = start(tmp_path, SERVES)
        assert (
            isinstance(second, LaunchFailed)
            and second.status == 1
            and "AlreadyRunning" in second.last_lines[-1]
        )
        assert not [text for text in second.last_lines if "GET" in text]
        assert find_instance(tmp_path / "own") == first
    finally:
        os.kill(first.pid, signal.SIGKILL)
        os.waitpid(first.pid, 0)
    assert wait_for_exit(first.pid, first.identity, 0)


def test_an_interrupted_launch_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C while it comes up."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(
            [sys.executable, "-c", SERVES, str(tmp_path / "own")],
            tmp_path / "own",
            output=tmp_path / "out",
            environment={"MARK": "x"},
            seconds=30,
            progress=interrupt,
        )
    assert find_instance(tmp_path / "own") is None


def test_the_command_is_this_installation_and_imports_nothing_from_its_working_folder() -> None:
    assert gateway_command("a", "b") == [sys.executable, "-P", "-m", "clawgate", "a", "b"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:1", ("127.0.0.1", 1, False)),
        ("https://[::1]:443", ("::1", 443, True)),
        ("http://0.0.0.0:80/x", ("0.0.0.0", 80, False)),
        ("nonsense", ("", 0, False)),
    ],
)
def test_the_endpoint_of_a_url(url: str, place: tuple[str, int, bool]) -> None:
    assert endpoint_of(url) == place


def test_the_last_lines_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\nb\n\xffc\n")
    assert last_lines(tmp_path / "x", 2) == ("b", "\ufffdc") and last_lines(tmp_path / "none") == ()
