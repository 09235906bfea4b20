"""The service files: what they start, when they start it again, and that no secret and no surprise stands in them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from clawgate.cli.exit_codes import ExitCode
from clawgate.processes.instance.unit_files import (
    CARRIED_VARIABLES,
    NO_RESTART_STATUSES,
    UNIT_NAME,
    UnitFile,
    launchd_agent,
    systemd_unit,
)

PLAN = UnitFile(
    ("/opt/my python/bin/python", "-m", "clawgate", "--config", '/a/100%/$HOME/"q"\\x.json'),
    PurePosixPath("/home/me"),
    {"OPENCLAW_STATE_DIR": "/data/50% of it"},
)


def test_the_unit_restarts_only_where_that_helps() -> None:
    lines = systemd_unit(PLAN).splitlines()
    for wanted in (
        "Type=exec",
        "WorkingDirectory=/home/me",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 78",
        "ExecReload=/bin/kill -USR1 $MAINPID",
        "NoNewPrivileges=yes",
        "UMask=0077",
        "WantedBy=default.target",
    ):
        assert wanted in lines


def test_statuses_without_restart_are_those_of_the_commands() -> None:
    assert set(NO_RESTART_STATUSES) == {ExitCode.USAGE, ExitCode.PORT_TAKEN}


def test_special_characters_of_a_path_are_escaped_for_systemd() -> None:
    """Neither specifiers (%), nor variables ($), nor quotes, nor backslashes, nor blanks."""
    unit = systemd_unit(PLAN)
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert command == (
        'ExecStart="/opt/my python/bin/python" -m clawgate --config "/a/100%%/$$HOME/\\"q\\"\\\\x.json"'
    )
    assert 'Environment="OPENCLAW_STATE_DIR=/data/50%% of it"' in unit.splitlines()


def test_a_line_break_cannot_add_a_setting() -> None:
    unit = systemd_unit(UnitFile(("/x", "a\nExecStartPre=/bad"), PurePosixPath("/"), {"A": "b\nUser=root"}))
    assert "\nExecStartPre" not in unit and "\nUser" not in unit


def test_only_paths_are_carried_into_the_unit() -> None:
    assert not [name for name in CARRIED_VARIABLES if "TOKEN" in name or "PASSWORD" in name or "KEY" in name]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_analyze_accepts_the_unit(tmp_path: Path) -> None:
    plan = UnitFile((sys.executable, "-P", "-m", "clawgate", "a%b", "$c"), tmp_path, {"A": "b c%d"})
    path = tmp_path / UNIT_NAME
    path.write_text(systemd_unit(plan))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert UNIT_NAME not in done.stderr, done.stderr


def test_the_launchd_agent() -> None:
    found = plistlib.loads(launchd_agent(PLAN, PurePosixPath("/log/out")))
    assert found["ProgramArguments"] == list(PLAN.command) and found["KeepAlive"] == {"SuccessfulExit": False}
    assert found["EnvironmentVariables"] == PLAN.environment and found["Umask"] == 0o077
    assert found["WorkingDirectory"] == "/home/me" and found["StandardErrorPath"] == "/log/out"
    assert found["Label"] == "clawgate.gateway" and found["RunAtLoad"] is True
