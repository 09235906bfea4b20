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
    SystemUnit,
    UnitFile,
    launchd_agent,
    system_service,
    system_socket,
    systemd_unit,
    unit_name,
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


def system_unit(role: str, tmp_path: Path) -> SystemUnit:
    command = sys.executable, "-P", "-m", "clawgate", role, "run"
    file = tmp_path / "env"
    return SystemUnit(
        command, tmp_path, stop_seconds=330, role=role, user="daemon", listen=["127.0.0.1:8089", "[::1]:8089"],
        environment_file=file, instance="7",
    )  # fmt: skip


def test_a_system_service_shares_the_socket_with_its_successor(tmp_path: Path) -> None:
    unit = system_unit("server", tmp_path)
    service, listening = system_service(unit).splitlines(), system_socket(unit).splitlines()
    assert unit.service_name == "clawgate-server-7.service" and unit.socket_name == "clawgate-server.socket"
    for wanted in ("Type=notify", "User=daemon", "Sockets=clawgate-server.socket", "TimeoutStopSec=330"):
        assert wanted in service
    assert f"EnvironmentFile={tmp_path}/env" in service and f"ReadWritePaths={tmp_path}" in service
    assert "ListenStream=127.0.0.1:8089" in listening and "ListenStream=[::1]:8089" in listening
    assert "Service=clawgate-server-7.service" in listening


def test_only_a_gateway_restarts_by_a_signal_and_may_have_children_that_compile(tmp_path: Path) -> None:
    server, gateway = (system_service(system_unit(role, tmp_path)) for role in ("server", "gateway"))
    assert "ExecReload" in gateway and "MemoryDenyWriteExecute" not in gateway
    assert "ExecReload" not in server and "MemoryDenyWriteExecute=yes" in server


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("role", ["server", "gateway"])
def test_a_system_service_is_hardened_and_correct(role: str, tmp_path: Path) -> None:
    """Exposure of at most 2.0 of 10, by systemd's own count, and no complaint about either unit."""
    unit = system_unit(role, tmp_path)
    paths = tmp_path / unit.service_name, tmp_path / unit.socket_name
    for path, text in zip(paths, (system_service(unit), system_socket(unit)), strict=True):
        path.write_text(text)
    one, other = map(str, paths)
    for check in (["verify", one, other], ["security", "--offline=yes", "--threshold=20", one]):
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", *check], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 and "clawgate" not in done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_analyze_accepts_the_unit(tmp_path: Path) -> None:
    plan = UnitFile((sys.executable, "-P", "-m", "clawgate", "a%b", "$c"), tmp_path, {"A": "b c%d"})
    path = tmp_path / unit_name(plan.role)
    path.write_text(systemd_unit(plan))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert path.name not in done.stderr, done.stderr


def test_the_launchd_agent() -> None:
    found = plistlib.loads(launchd_agent(PLAN, PurePosixPath("/log/out")))
    assert found["ProgramArguments"] == list(PLAN.command) and found["KeepAlive"] == {"SuccessfulExit": False}
    assert found["EnvironmentVariables"] == PLAN.environment and found["Umask"] == 0o077
    assert found["WorkingDirectory"] == "/home/me" and found["StandardErrorPath"] == "/log/out"
    assert found["Label"] == "clawgate.gateway" and found["RunAtLoad"] is True
