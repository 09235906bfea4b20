"""A state folder for the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.stored_runs import StateHome


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateHome:
    return StateHome(tmp_path, monkeypatch)
