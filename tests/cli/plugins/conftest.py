"""Fixtures of the tests of `cli/plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.catalogs import alone
from tests.cli.plugins.plugin_home import CONFIG
from tests.plugins.samples import imports_undone


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    alone(tmp_path, monkeypatch)
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    with imports_undone():
        yield tmp_path


@pytest.fixture
def path(home: Path) -> Path:
    file = home / ".openclaw" / "openclaw.json"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return file
