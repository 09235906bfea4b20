"""What `gateway run` would refuse is found before a restart, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.preflight import start_refusal
from clawgate.cli.paths import Paths
from clawgate.processes.instance.run_records import RestartRefusal
from clawgate.settings.openclaw.gateway import GatewayFlags

TOKEN = "preflight-0123456789abcdef"


def with_token(**gateway: Any) -> str:
    return json.dumps({"gateway": {"auth": {"token": TOKEN}, **gateway}})


def refusal(folder: Path, text: str | None, **more: Any) -> RestartRefusal | None:
    path = folder / "openclaw.json"
    if text is not None:
        path.write_text(text)
        path.chmod(0o600)
    named = more.pop("config_named", False)
    environment = {"HOME": str(folder), **more.pop("environment", {})}
    given = {"env_file": None, "log_file": None, "sockets": (), **more}
    flags = given.pop("flags", GatewayFlags())
    return start_refusal(Paths(path, named, folder), flags, environment, **given)


@pytest.mark.parametrize(
    ("text", "flags", "environment"),
    [
        (with_token(port=0), GatewayFlags(), {}),
        ("{gateway: {port: 0}}", GatewayFlags(), {}),
        ("{gateway: {port: 0, bind: 'lan'}}", GatewayFlags(bind="loopback"), {}),
        (
            "{gateway: {port: 0, auth: {token: '${OURS}'}}}",
            GatewayFlags(),
            {"OURS": TOKEN},
        ),
        (None, GatewayFlags(port=0), {}),
    ],
)
def test_what_could_start_is_not_refused(
    text: str | None, flags: GatewayFlags, environment: dict[str, str], tmp_path: Path
) -> None:
    """A token that is missing would be made by the start itself, not by looking."""
    assert refusal(tmp_path, text, flags=flags, environment=environment) is None
    assert text is None or (tmp_path / "openclaw.json").read_text() == text


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("{", {}, "it is not JSON5"),
        ("{gateway: {port: 'x'}}", {}, "gateway.port"),
        ("{gateway: {auth: {token: '${NOT_SET}'}}}", {}, "NOT_SET"),
        ("{gateway: {bind: 'lan'}}", {}, "every request would be rejected"),
        ("{}", {"flags": GatewayFlags(bind="everywhere")}, "everywhere"),
        ("{}", {"env_file": "/nowhere.env"}, "there is no such file"),
        (None, {"config_named": True}, "the file does not exist"),
        (
            "{gateway: {port: 0}}",
            {"log_file": "/dev/full/x.log"},
            "the log file /dev/full/x.log cannot be written",
        ),
    ],
)
def test_config_and_log_file_are_refused_as_by_a_start(
    text: str | None, more: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    found = refusal(tmp_path, text, **more)
    assert found is not None and found.status == ExitCode.USAGE and reason in "; ".join(found.problems)


def test_a_port_is_refused_unless_it_is_our_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = with_token(port=port)
        found = refusal(tmp_path, text)
        assert found is not None and found.status == ExitCode.PORT_TAKEN
        assert f"port {port} on 127.0.0.1 is already in use" in found.problems[0]
        assert refusal(tmp_path, text, sockets=[taken]) is None
    assert refusal(tmp_path, text) is None


def test_an_address_that_is_not_of_this_machine_is_refused(tmp_path: Path) -> None:
    text = with_token(port=1234, bind="custom", customBindHost="192.0.2.1")
    found = refusal(tmp_path, text)
    assert (
        found is not None
        and found.status == ExitCode.FAILED
        and "cannot listen on 192.0.2.1" in found.problems[0]
    )


def test_what_looking_creates_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Under any umask: `gateway install` looks before anything else has made the state folder."""
    log_file = tmp_path / "state" / "logs" / "gateway.log"
    before = os.umask(0)
    try:
        assert refusal(tmp_path, with_token(port=0), log_file=str(log_file)) is None
    finally:
        os.umask(before)
    modes = {one.name: one.stat().st_mode & 0o777 for one in (log_file, *log_file.parents[:2])}
    assert modes == {"gateway.log": 0o600, "logs": 0o700, "state": 0o700}
