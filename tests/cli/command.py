"""The real command in a process of its own, in a folder and with an environment that hold nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OURS = ("OPENCLAW_", "PROXY_BRIDGE_", "OPENAI_")


def command(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, code: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``clawgate`` with ``arguments``, or Python with ``code``; standard input is at its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    start = [sys.executable, "-B", "-W", "error", *(["-c", code] if code else ["-m", "clawgate"])]
    return subprocess.run(
        [*start, *arguments],
        cwd=folder,
        env=inherited | {"HOME": str(folder)} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
