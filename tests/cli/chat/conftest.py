"""A state folder without a gateway; `ChatHome.running` starts one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.chat.running_gateway import ChatHome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChatHome:
    return ChatHome(tmp_path, monkeypatch)
