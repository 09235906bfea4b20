"""An extra goes into the Python that runs clawgate."""

from __future__ import annotations

import shlex
import sys

import pytest

from clawgate.settings.extras import install_command


@pytest.mark.parametrize("program", [sys.executable, "/a folder/bin/python"])
def test_the_command_names_the_python_that_runs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert shlex.split(install_command("web")) == [program, "-m", "pip", "install", "clawgate[web]"]
