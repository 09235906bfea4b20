"""A refusal is that of the process that was requested to restart, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.processes.instance.restart_refusal import (
    FILE_NAME,
    RestartRefusal,
    clear_refusal,
    read_refusal,
    write_refusal,
)

REFUSAL = RestartRefusal(78, ("the port is taken", "and more"))


def test_what_was_written_is_read_until_it_is_cleared(tmp_path: Path) -> None:
    write_refusal(tmp_path, "i", REFUSAL)
    assert read_refusal(tmp_path, "i") == REFUSAL
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    for _ in range(2):
        clear_refusal(tmp_path)
    assert read_refusal(tmp_path, "i") is None


@pytest.mark.parametrize("instance", ["other", None])
def test_that_of_another_process_counts_for_nothing(instance: str | None, tmp_path: Path) -> None:
    write_refusal(tmp_path, "i", REFUSAL)
    assert read_refusal(tmp_path, instance) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"instance": "i"}', '{"instance": "i", "status": "x", "problems": []}']
)
def test_a_damaged_record_counts_for_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read_refusal(tmp_path, "i") is None


def test_without_a_folder_there_is_no_record(tmp_path: Path) -> None:
    write_refusal(tmp_path / "nowhere", "i", REFUSAL)
    assert read_refusal(tmp_path / "nowhere", "i") is None
