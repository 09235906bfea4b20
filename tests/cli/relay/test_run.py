"""A port that is taken, an address that cannot be had, a run from start to end: each with its exit status."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.relay.run import refuse
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.roles.loader import SettingsInvalid
from tests.cli.command import command
from tests.e2e.processes import environment, started
from tests.e2e.waiting import poll

TOKEN = "canary-2Wd8-Xs4Gk"
BRIDGE = ["bridge", "run", "--remote-url", "http://127.0.0.1:1", "--proxy-token", TOKEN]


def test_a_port_that_is_taken_is_78_and_names_port_and_owner(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = command(*BRIDGE, "--port", str(port), folder=tmp_path)
    assert found.returncode == ExitCode.PORT_TAKEN
    assert (
        f"port {port} on 127.0.0.1 is already in use" in found.stderr and len(found.stderr.splitlines()) == 1
    )
    if Path("/proc/net/tcp").exists():
        assert f"(pid {os.getpid()})" in found.stderr


def test_an_address_that_is_not_ours_is_1(tmp_path: Path) -> None:
    found = command(*BRIDGE, "--port", "0", "--host", "192.0.2.1", "--bridge-token", TOKEN, folder=tmp_path)
    assert found.returncode == ExitCode.FAILED and "cannot listen on 192.0.2.1 port 0" in found.stderr
    assert "canary" not in found.stderr


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
            assert b"canary" not in shown and b"--port\0000\0" in shown and b"token" in shown
        process.send()
        assert process.wait() == ExitCode.OK


def test_a_refusal_lists_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        refuse(
            SettingsInvalid(
                [Diagnostic(("a",), "is wrong", location="f:1"), Diagnostic(("b",), "is missing")]
            )
        )
    assert caught.value.code == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[1:] == ["  - a (f:1): is wrong", "  - b: is missing"]
