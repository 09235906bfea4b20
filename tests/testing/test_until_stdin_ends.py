"""A command that runs until its stdin ends, ends with it, and is otherwise the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clawgate import __version__

COMMAND = [sys.executable, "-m", "clawgate.testing.until_stdin_ends"]


def test_it_is_the_command(tmp_path: Path) -> None:
    """Its arguments, its output and its exit code; also while nobody has ended its stdin."""
    reader, writer = os.pipe()
    try:
        for arguments, code, said in (
            (["--version"], 0, f"clawgate {__version__}"),
            (["no-such"], 2, "no-such"),
        ):
            done = subprocess.run(
                [*COMMAND, *arguments], stdin=reader, capture_output=True, text=True, timeout=30, check=False
            )
            assert done.returncode == code
            assert said in done.stdout + done.stderr
    finally:
        os.close(reader)
        os.close(writer)


def test_it_ends_with_its_stdin(tmp_path: Path) -> None:
    """A gateway that is being served stops in order, with exit code 0."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path),
        "OPENCLAW_GATEWAY_TOKEN": "gw-2Hq7vXn4LrTz9KwBdYs5", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    with subprocess.Popen(
        [*COMMAND, "gateway", "run", "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        said = ""
        for line in process.stdout:
            said += line
            if "listening on" in line:
                break
        assert process.poll() is None, said
        process.stdin.close()
        assert process.wait(30) == 0
        process.stdout.read()
