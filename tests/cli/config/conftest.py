"""Fixtures of the tests of `cli/config`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.config.config_file import TEXT


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a config file, and an environment that holds nothing else of ours."""
    for name in [name for name in os.environ if name.startswith(("OPENCLAW_", "PROXY_BRIDGE_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "openclaw.json"
    path.write_text(TEXT)
    path.chmod(0o600)
    return path
