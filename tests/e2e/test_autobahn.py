"""Autobahn's test suite for WebSockets (RFC 6455): at most one of its cases fails, and which one is known.

It needs a Python 2.7 with pip, whose name or path AUTOBAHN_PYTHON may give, and the package `autobahntestsuite`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.websocket_stand import echo_process

PACKAGE = "autobahntestsuite==0.8.2"
FAILING = ["7.1.5"]
"""A close frame within a fragmented message: `websockets` takes it for a fault (1002), and documents that."""
LEFT_OUT = ["9.*", "12.*", "13.*"]
"""Performance, and the compression that is not offered."""
CASES = 247


def is_python_2(path: str) -> bool:
    """Whether this runs, with pip: pyenv's shims are there whatever they lead to."""
    check = [path, "-c", "import pip, sys; sys.exit(sys.version_info[0] != 2)"]
    return subprocess.run(check, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture(scope="module")
def python() -> str:
    pyenv = sorted(str(path) for path in Path.home().glob(".pyenv/versions/2.7*/bin/python"))
    names = [os.environ.get("AUTOBAHN_PYTHON", ""), "python2.7", *pyenv]
    for path in filter(None, map(shutil.which, filter(None, names))):
        if is_python_2(path):
            return path
    pytest.skip("there is no Python 2.7 with pip, which Autobahn's test suite needs")


@pytest.fixture(scope="module")
def library(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test suite, installed beside this repository."""
    folder = tmp_path_factory.mktemp("autobahn")
    install = [python, "-m", "pip", "install", "--quiet", "--target", str(folder), PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True, timeout=280, check=False)
    if done.returncode:
        pytest.skip(f"{PACKAGE} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    (folder / "zope" / "__init__.py").touch()  # pip leaves it out of a namespace package
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_autobahn_finds_at_most_one_fault(python: str, library: Path, tmp_path: Path) -> None:
    with echo_process() as (_, port):
        cases = run_cases(python, library, port, tmp_path)
    verdicts = Counter(case["behavior"] for case in cases.values())
    failed = [
        number
        for number, case in sorted(cases.items())
        if not {case["behavior"], case["behaviorClose"]} <= {"OK", "NON-STRICT", "INFORMATIONAL"}
    ]
    assert failed == FAILING, verdicts
    assert len(cases) == CASES


def run_cases(python: str, library: Path, port: int, folder: Path) -> dict[str, dict[str, str]]:
    """Run the cases against ``port``; return the verdicts by the number of the case."""
    spec = {
        "outdir": str(folder),
        "servers": [{"agent": "clawgate", "url": f"ws://127.0.0.1:{port}"}],
        "cases": ["*"],
        "exclude-cases": LEFT_OUT,
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    command = [
        python,
        "-W",
        "ignore",
        "-m",
        "autobahntestsuite.wstest",
        "-m",
        "fuzzingclient",
        "-s",
        "spec.json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(library)}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=500, check=True)
    cases: dict[str, dict[str, str]] = json.loads((folder / "index.json").read_text(encoding="utf-8"))[
        "clawgate"
    ]
    return cases
