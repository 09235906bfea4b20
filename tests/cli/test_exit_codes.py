"""Supervisors read these numbers: they do not change."""

from __future__ import annotations

from clawgate.cli.exit_codes import ExitCode


def test_the_numbers_stay_what_they_are() -> None:
    """78 tells OpenClaw and systemd not to try again in a loop; 2 is click's own for a wrong flag."""
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PORT_TAKEN": 78,
        "HUNG_UP": 129,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }
