"""What the gateway did with a config is kept for commands of other processes, and never invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.processes.instance.config_report import FILE_NAME, ConfigReport, read_report, write_report

REPORT = ConfigReport(
    digest="d",
    used=False,
    admits_callers=False,
    problems=("one", "two"),
    needs_restart=("gateway.port",),
    given_elsewhere={"gateway.bind": "--bind"},
)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_report(tmp_path, "i", REPORT)
    assert read_report(tmp_path, "i") == REPORT
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("instance", ["other", None])
def test_a_report_of_another_run_is_none(tmp_path: Path, instance: str | None) -> None:
    write_report(tmp_path, "i", REPORT)
    assert read_report(tmp_path, instance) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_report_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read_report(tmp_path, "i") is None


def test_a_report_that_says_nothing_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"instance": "i", "problems": 5, "given_elsewhere": []}')
    report = read_report(tmp_path, "i")
    assert report is not None and not report.used and not report.admits_callers


def test_without_a_folder_nothing_is_written_and_nothing_fails(tmp_path: Path) -> None:
    write_report(tmp_path / "none", "i", REPORT)
    assert read_report(tmp_path / "none", "i") is None
