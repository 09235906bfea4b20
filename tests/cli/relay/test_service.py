"""`server install`: the unit is that of the server, holds no secret, and what could not start is not installed."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.command import command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the steps are those of systemd")

KEY, TOKEN = "sk-canary-8Vz3-Lm5Yt", "canary-4Hj6-Rn1Bc"
SECRETS = f"OPENAI_API_KEY={KEY}\nOPENAI_PROXY_TOKEN={TOKEN}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a systemctl that writes down what it is asked for."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho active\n')
    program.chmod(0o755)
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    return tmp_path


def secret_file(path: Path, text: str = SECRETS, mode: int = 0o600) -> Path:
    path.touch(0o600)
    path.write_text(text)
    path.chmod(mode)
    return path


def server(home: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    path = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "XDG_CONFIG_HOME": ""}
    return command("server", *arguments, folder=home, environment=path | environment)


def unit(home: Path) -> Path:
    return home / ".config" / "systemd" / "user" / "clawgate-server.service"


def test_a_user_service_is_installed_and_removed(home: Path) -> None:
    secret_file(home / ".openclaw" / ".env")
    done = server(home, "install")
    assert done.returncode == 0, done.stderr
    text = unit(home).read_text()
    assert f"ExecStart={sys.executable} -P -m clawgate server run --drain-timeout 300" in text
    assert "TimeoutStopSec=330" in text and "canary" not in text + done.stdout
    assert stat.S_IMODE(unit(home).stat().st_mode) == 0o600
    gone = server(home, "uninstall")
    assert gone.returncode == 0 and not unit(home).exists() and (home / ".openclaw" / ".env").exists()
    assert (home / "asked").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now clawgate-server.service",
        "--user disable --now clawgate-server.service",
        "--user daemon-reload",
    ]


@pytest.mark.parametrize("more", [None, "", "OPENAI_PROXY_TOKENS_FILE=/none\n"])
def test_what_could_not_start_is_not_installed(home: Path, more: str | None) -> None:
    """Variables of this shell do not reach the service."""
    secret_file(home / ".openclaw" / ".env", "" if more is None else f"OPENAI_API_KEY={KEY}\n{more}")
    done = server(home, "install", OPENAI_API_KEY=KEY, OPENAI_PROXY_TOKEN=TOKEN)
    assert done.returncode == 2 and "nothing was installed" in done.stderr and not unit(home).exists()
    assert str(home / ".openclaw" / ".env") in done.stderr and "canary" not in done.stderr


def test_a_system_service_has_its_user_its_socket_and_its_environment_file(home: Path) -> None:
    file = secret_file(home / "server.env", SECRETS + "OPENAI_PROXY_HOST=0.0.0.0\nOPENAI_PROXY_PORT=4321\n")
    folder = home / "units"
    done = server(
        home, "install", "--system", "nobody", "--environment-file", str(file), "--instance", "3",
        "--unit-folder", str(folder), OPENCLAW_STATE_DIR="/var/lib/clawgate",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    service = (folder / "clawgate-server-3.service").read_text()
    assert "User=nobody" in service and f"EnvironmentFile={file}" in service and "canary" not in service
    assert "WorkingDirectory=/var/lib/clawgate" in service
    assert "ListenStream=0.0.0.0:4321" in (folder / "clawgate-server.socket").read_text()
    assert not (home / "asked").exists()


def test_an_environment_file_that_others_may_read_is_refused(home: Path) -> None:
    file = secret_file(home / "server.env", mode=0o644)
    done = server(home, "install", "--system", "nobody", "--environment-file", str(file), "--dry-run")
    assert done.returncode == 2 and "chmod 600" in done.stderr and "canary" not in done.stderr


def test_a_configured_drain_limit_is_that_of_the_service(home: Path) -> None:
    secret_file(home / ".openclaw" / ".env")
    config = {"plugins": {"entries": {"openai-proxy": {"config": {"drainTimeout": 1200}}}}}
    secret_file(home / ".openclaw" / "openclaw.json", json.dumps(config))
    done = server(home, "install")
    assert done.returncode == 0, done.stderr
    assert "--drain-timeout" not in unit(home).read_text() and "TimeoutStopSec=1230" in unit(home).read_text()
