from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.state.status import database_status, print_status
from clawgate.cli.state_database import ChosenDatabase


def test_files_that_were_moved_away_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.db"
    moved = tmp_path / "state.db.unusable-20270115T080000Z"
    moved.touch()
    status = database_status(ChosenDatabase(str(path), str(path), path, "the default"), check=False)
    assert status.to_json()["unusableFiles"] == [str(moved)]
    print_status(status)
    assert f"moved away: {moved}" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [moved]


def test_an_empty_file_is_a_database_to_be_migrated(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.touch()
    status = database_status(ChosenDatabase(str(path), str(path), path, "the default"), check=True)
    assert status.problem is None and status.note is not None and "clawgate state migrate" in status.note
    assert path.stat().st_size == 0
