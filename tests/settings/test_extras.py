"""An extra goes into the Python that runs clawgate."""

from __future__ import annotations

import shlex
import sys

import pytest

from clawgate.settings import extras
from clawgate.settings.extras import install_command


@pytest.mark.parametrize("program", [sys.executable, "/a folder/bin/python"])
def test_the_command_names_the_python_that_runs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setattr(extras, "find_spec", lambda name: object())
    assert shlex.split(install_command("web")) == [program, "-m", "pip", "install", "clawgate[web]"]
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert shlex.split(install_command("web")) == [
        "uv",
        "pip",
        "install",
        "--python",
        program,
        "clawgate[web]",
    ]
