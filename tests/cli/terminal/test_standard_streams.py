"""A command whose output cannot be written ends with a status and perhaps a line, never with a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import OURS
from tests.cli.gateway_home import Home

DRIVER = Path(__file__).with_name("stream_program.py")
FULL = "clawgate: standard output cannot be written: No space left on device\n"
LINES = [
    "--version", "help", "models", "models list", "models status --json", "models aliases", "models fallbacks",
    "models auth list", "config file", "config schema", "config validate", "config get gateway",
    "config explain gateway.port",
    "plugins list", "plugins list --json", "plugins inspect proxy-bridge", "route explain openai/x", "gateway status",
    "gateway status --json", "gateway health", "gateway stop", "gateway install --dry-run", "gateway uninstall",
    "doctor",
    "doctor --json", "completion bash", "--show-completion zsh", "server new-token", "proxy-bridge status",
    "anthropic-claude-proxy status --json", "logs", "nonsense", "models --nonsense", "--help", "gateway --help",
    "models set openai/x", "models aliases add fast openai/x", "config set gateway.port 1", "config unset gateway.port",
    "plugins enable proxy-bridge", "plugins disable proxy-bridge", "plugins uninstall proxy-bridge --yes",
]  # fmt: skip


def outcomes(folder: Path, closing: str, lines: list[str]) -> dict[str, tuple[int, str]]:
    """Return exit status and standard error of each command line."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", str(DRIVER), closing, json.dumps(lines)],
        env=inherited | {"HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    return {line: (status, text) for line, status, text in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("closing", "lines"),
    [("full", LINES), ("all closed", LINES), ("closed", LINES[::4]), ("reader gone", LINES[::4])],
)
def test_no_command_ends_with_a_traceback(closing: str, lines: list[str], tmp_path: Path) -> None:
    found = outcomes(tmp_path, closing, lines)
    assert len(found) == len(lines)
    for line, (status, text) in found.items():
        assert status in (0, 1, 2, 78), (line, status)  # 78: there is nothing that could start
        assert "Traceback" not in text and "Exception" not in text, (line, text)


@pytest.mark.parametrize("line", ["models", "config schema", "--help"])
def test_a_full_disk_is_reported_with_status_1(line: str, tmp_path: Path) -> None:
    assert outcomes(tmp_path, "full", [line]) == {line: (1, FULL)}


@pytest.mark.parametrize("line", ["models", "config schema", "--help"])
def test_a_reader_that_is_gone_is_no_message(line: str, tmp_path: Path) -> None:
    assert outcomes(tmp_path, "reader gone", [line]) == {line: (1, "")}


def test_an_error_that_cannot_be_shown_keeps_its_status(tmp_path: Path) -> None:
    found = outcomes(tmp_path, "errors full", ["nonsense", "--version", "models set nothing"])
    assert {line: status for line, (status, _) in found.items()} == {
        "nonsense": 2, "--version": 0, "models set nothing": 1,
    }  # fmt: skip


def test_output_waits_for_a_slow_reader_that_shares_a_non_blocking_pipe(tmp_path: Path) -> None:
    """As under a program that sets O_NONBLOCK on the terminal or pipe that both have."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "clawgate", "config", "schema"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        first = stream.read(1)
        text = first + stream.read()
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"") and "properties" in json.loads(text)


def test_a_gateway_serves_although_its_output_is_full(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure()
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    try:
        with Path("/dev/full").open("w") as full:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "clawgate", "gateway", "run"],
                cwd=tmp_path,
                env=inherited | {"HOME": str(tmp_path)},
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=full,
            )
        from tests.e2e.waiting import poll

        poll(lambda: (found := home.find_instance()) is not None and found.url is not None, "the gateway")
        assert home.ask("/v1/models")[0] == 200
        process.terminate()
        assert process.wait(120) == 0
    finally:
        home.close()
