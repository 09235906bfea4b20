"""What the gateway did is kept for commands of other processes: that of another run counts for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.processes.instance.run_records import (
    REFUSAL_NAME,
    REPORT_NAME,
    ConfigReport,
    RestartRefusal,
    clear_refusal,
    read_refusal,
    read_report,
    write_refusal,
    write_report,
)

REPORT = ConfigReport(
    digest="d",
    used=False,
    admits_callers=False,
    problems=("one", "two"),
    needs_restart=("gateway.port",),
    given_elsewhere={"gateway.bind": "--bind"},
)
REFUSAL = RestartRefusal(78, ("the port is taken", "and more"))


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_report(tmp_path, "i", REPORT)
    assert read_report(tmp_path, "i") == REPORT
    assert (tmp_path / REPORT_NAME).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [REPORT_NAME]


@pytest.mark.parametrize("instance", ["other", None])
def test_a_report_of_another_run_is_none(tmp_path: Path, instance: str | None) -> None:
    write_report(tmp_path, "i", REPORT)
    assert read_report(tmp_path, instance) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_report_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / REPORT_NAME).write_bytes(content)
    assert read_report(tmp_path, "i") is None


def test_a_report_that_says_nothing_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / REPORT_NAME).write_text('{"instance": "i", "problems": 5, "given_elsewhere": []}')
    report = read_report(tmp_path, "i")
    assert report is not None and not report.used and not report.admits_callers


def test_without_a_folder_nothing_is_written_and_nothing_fails(tmp_path: Path) -> None:
    write_report(tmp_path / "none", "i", REPORT)
    assert read_report(tmp_path / "none", "i") is None


def test_what_was_written_is_read_until_it_is_cleared(tmp_path: Path) -> None:
    write_refusal(tmp_path, "i", REFUSAL)
    assert read_refusal(tmp_path, "i") == REFUSAL
    assert (tmp_path / REFUSAL_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [REFUSAL_NAME]
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
    (tmp_path / REFUSAL_NAME).write_text(text)
    assert read_refusal(tmp_path, "i") is None


def test_without_a_folder_there_is_no_record(tmp_path: Path) -> None:
    write_refusal(tmp_path / "nowhere", "i", REFUSAL)
    assert read_refusal(tmp_path / "nowhere", "i") is None
