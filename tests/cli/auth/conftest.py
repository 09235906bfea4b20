"""Fixtures of the tests of `cli/auth`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.auth.auth_command import KEY
from tests.cli.catalogs import alone, config_file
from tests.cli.model_list import ModelList


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return config_file(tmp_path)


@pytest.fixture
def server() -> Iterator[ModelList]:
    found = ModelList(KEY)
    yield found
    found.close()
