"""A child that writes much is logged in part, and how much is left out is said."""

from __future__ import annotations

import logging

import pytest

from clawgate.processes.supervision.output_log import LINES_PER_SECOND, OutputLog


def test_more_lines_than_a_second_may_have_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 5.0
    caplog.set_level(logging.INFO)
    log = OutputLog("c", logging.getLogger("test"), lambda: now)
    for number in range(LINES_PER_SECOND + 7):
        log(f"line {number}")
    log("")
    now += 1.0
    log("later")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "c: | line 0" and len(lines) == LINES_PER_SECOND + 2
    assert lines[-2:] == ["c: 8 lines of output were not logged", "c: | later"]
