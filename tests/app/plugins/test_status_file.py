"""The status of a service reaches commands in other processes, and only while the gateway that wrote it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.app.plugins.status_file import FILE_NAME, read_statuses, remove_statuses, write_statuses
from clawgate.plugins.api import ServiceStatus

STATUS = ServiceStatus(
    state="ready", ok=True, reason="r", next_step="n", details={"pid": 7, "url": "http://x"}, lines=("a", "b")
)


def test_what_was_written_is_read_by_the_same_instance_only(tmp_path: Path) -> None:
    write_statuses(tmp_path, "one", [STATUS, ServiceStatus(state="down", ok=False)])
    assert read_statuses(tmp_path, "one") == (STATUS, ServiceStatus(state="down", ok=False))
    assert read_statuses(tmp_path, "another") == () == read_statuses(tmp_path, None)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_removed_status_is_none_and_removing_it_again_is_harmless(tmp_path: Path) -> None:
    write_statuses(tmp_path, "one", [STATUS])
    remove_statuses(tmp_path)
    remove_statuses(tmp_path)
    assert read_statuses(tmp_path, "one") == () and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"instance":"one"}',
        '{"instance":"one","services":7}',
        '{"services":[{}]}',
    ],
)
def test_a_file_that_is_no_status_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read_statuses(tmp_path, "one") == ()


def test_odd_values_become_plain_ones(tmp_path: Path) -> None:
    """The file may be that of another version."""
    text = '{"instance":"one","services":[{"state":7,"ok":"yes","details":[],"lines":["\\u001b[31m",7]}, 7]}'
    (tmp_path / FILE_NAME).write_text(text)
    (found,) = read_statuses(tmp_path, "one")
    assert found == ServiceStatus(state="", ok=False, lines=("\\x1b[31m", ""))


def test_details_that_are_no_json_do_not_keep_the_rest_from_being_written(tmp_path: Path) -> None:
    write_statuses(tmp_path, "one", [ServiceStatus(state="up", ok=True, details={"path": Path("/x")})])
    assert read_statuses(tmp_path, "one")[0].details == {"path": "/x"}
