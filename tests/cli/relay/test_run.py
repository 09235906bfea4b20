"""A port that is taken, an address that cannot be had, a run from start to end: each with its exit status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clawgate.cli.exit_codes import ExitCode
from tests.cli.command import command
from tests.e2e.processes import environment, started
from tests.e2e.waiting import poll

TOKEN = "canary-2Wd8-Xs4Gk"
BRIDGE = ["bridge", "run", "--remote-url", "http://127.0.0.1:1", "--proxy-token", TOKEN]


@pytest.mark.parametrize("role", ["bridge", "server"])
def test_from_start_to_end(tmp_path: Path, role: str) -> None:
    """It says where it listens, ends with 0 when its standard input ends, and leaves no file and no secret behind."""
    start = {
        "bridge": BRIDGE,
        "server": ["server", "run", "--openai-api-key", TOKEN, "--proxy-token", f"{TOKEN}-2", "--base-url", "http://127.0.0.1:1"],
    }[role]  # fmt: skip
    found = command(*start, "--port", "0", "--exit-on-stdin-eof", folder=tmp_path)
    assert found.returncode == ExitCode.OK, found.stderr
    assert f"clawgate {role} listening on http://127.0.0.1:" in found.stderr
    assert "--proxy-token: other users can read it in the process list" in found.stderr
    assert f" info {role} stopped\n" in found.stderr and " gateway " not in found.stderr
    assert "canary" not in found.stdout + found.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot change what others see of it")
@pytest.mark.parametrize(
    "start",
    [
        ["bridge", "run", "--remote-url=http://127.0.0.1:1", f"--proxy-token={TOKEN}", "--bridge-token", f"{TOKEN}-2"],
        ["server", "run", "--openai-api-key", TOKEN, "--proxy-tokens", f"a:{TOKEN}-1,b:{TOKEN}-2", "--workers", "2"],
        ["gateway", "run", "--token", f"{TOKEN}-1", "--password", f"{TOKEN}-2"],
    ],
    ids=["bridge", "server", "gateway"],
)  # fmt: skip
def test_secrets_given_as_flags_are_in_no_process_list(tmp_path: Path, start: list[str]) -> None:
    """Nor in that of its workers; the flags' names are still there to be read."""
    program = [sys.executable, "-m", "clawgate", *start, "--port", "0"]
    with started(program, tmp_path / "role", environment(tmp_path)) as process:
        pid = process.popen.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        workers = 2 if "--workers" in start else 0
        poll(lambda: len(children.read_text().split()) == workers, "the workers")
        for number in (str(pid), *children.read_text().split()):
            shown = Path(f"/proc/{number}/cmdline").read_bytes()
            assert b"canary" not in shown and b"--port\0000\0" in shown and b"token" in shown, shown
        process.send()
        assert process.wait() == ExitCode.OK, process.err
