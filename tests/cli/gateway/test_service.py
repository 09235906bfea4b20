"""`gateway install` and `uninstall`: the file is right, the steps are run or printed, and nothing else is touched."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.gateway_home import TOKEN, Home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the steps are those of systemd")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.configure()
    return made


def manager(home: Home, status: int = 0) -> dict[str, str]:
    """A systemctl that writes down what it is asked for."""
    folder = home.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/asked\necho active\n[ {status} = 0 ] || echo "no bus" >&2\nexit {status}\n'
    )
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "XDG_CONFIG_HOME": ""}


def asked(home: Home) -> list[str]:
    return (home.folder / "bin" / "asked").read_text().splitlines()


def unit(home: Home) -> Path:
    return home.folder / ".config" / "systemd" / "user" / "clawgate-gateway.service"


def test_installed_it_is_enabled_and_started(home: Home) -> None:
    done = home.gateway("install", "--port", "1234", **manager(home))
    assert done.returncode == 0 and f"Wrote {unit(home)}" in done.stdout, done.stderr
    assert asked(home) == ["--user daemon-reload", "--user enable --now clawgate-gateway.service"]
    text = unit(home).read_text()
    assert f"ExecStart={sys.executable} -P -m clawgate gateway run --port 1234 --log-file {home.log}" in text
    assert stat.S_IMODE(unit(home).stat().st_mode) == 0o600
    assert "Service: systemd (active)" in home.gateway("status", **manager(home)).stdout


def test_under_any_umask_others_can_write_neither_the_file_nor_its_folder(home: Home) -> None:
    before = os.umask(0)
    try:
        assert home.gateway("install", **manager(home)).returncode == 0
    finally:
        os.umask(before)
    folder = unit(home).parent
    paths = [unit(home), folder, folder.parent, folder.parent.parent]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o700, 0o700, 0o700]


def test_where_the_files_are_is_carried_and_no_secret(home: Home) -> None:
    done = home.gateway(
        "install",
        OPENCLAW_STATE_DIR=str(home.state),
        OPENCLAW_GATEWAY_TOKEN=TOKEN,
        **manager(home),
    )
    text = unit(home).read_text()
    assert f"Environment=OPENCLAW_STATE_DIR={home.state}" in text and TOKEN not in text + done.stdout
    assert f"Environment=PATH={home.folder / 'bin'}:" in text
    assert "OPENCLAW_GATEWAY_TOKEN is set in this shell only" in done.stderr


def test_a_dry_run_does_nothing(home: Home) -> None:
    done = home.gateway("install", "--dry-run", **manager(home))
    assert done.returncode == 0 and not unit(home).exists() and not (home.folder / "bin" / "asked").exists()
    assert f"Would write {unit(home)}" in done.stdout and "Would run: systemctl --user enable" in done.stdout
    home.gateway("install", **manager(home))
    (home.folder / "bin" / "asked").unlink()
    gone = home.gateway("uninstall", "--dry-run", **manager(home))
    assert gone.returncode == 0 and f"Would remove {unit(home)}" in gone.stdout
    assert unit(home).exists() and not (home.folder / "bin" / "asked").exists()


def test_json_has_the_same_facts(home: Home) -> None:
    dry = json.loads(home.gateway("install", "--dry-run", "--json", **manager(home)).stdout)
    assert (dry["ok"], dry["action"], dry["result"]) == (True, "install", "dry-run")
    assert dry["file"] == str(unit(home)) and "ExecStart=" in dry["content"] and not unit(home).exists()
    done = json.loads(home.gateway("install", "--json", OPENCLAW_GATEWAY_TOKEN=TOKEN, **manager(home)).stdout)
    assert (done["result"], done["commands"]) == ("installed", dry["commands"])
    assert "OPENCLAW_GATEWAY_TOKEN" in done["warnings"][0] and TOKEN not in json.dumps(done)
    assert json.loads(home.gateway("uninstall", "--json", **manager(home)).stdout)["result"] == "uninstalled"
    assert (
        json.loads(home.gateway("uninstall", "--json", **manager(home)).stdout)["result"] == "not-installed"
    )
    failed = home.gateway("install", "--json", **manager(home, status=1))
    output = json.loads(failed.stdout)
    assert (failed.returncode, output["ok"]) == (1, False) and len(output["problems"]) == 2


def test_a_manager_that_does_not_answer_leaves_the_next_steps(home: Home) -> None:
    done = home.gateway("install", **manager(home, status=1))
    assert done.returncode == 1 and unit(home).exists()
    assert "no bus" in done.stderr and "\n  - systemctl --user enable --now" in done.stderr
    assert "clawgate gateway start" in done.stderr


def test_install_prints_the_commands_when_there_is_no_service_manager(home: Home) -> None:
    done = home.gateway("install", PATH="/nonexistent", XDG_CONFIG_HOME="")
    assert done.returncode == 1 and "there is no systemctl" in done.stderr and unit(home).exists()


def test_install_keeps_a_service_file_that_differs(home: Home) -> None:
    home.gateway("install", **manager(home))
    unit(home).write_text("mine\n")
    refused = home.gateway("install", **manager(home))
    assert refused.returncode == 1 and "--force" in refused.stderr and unit(home).read_text() == "mine\n"
    assert home.gateway("install", "--force", **manager(home)).returncode == 0
    assert unit(home).read_text() != "mine\n"
    assert home.gateway("install", **manager(home)).returncode == 0


def test_a_config_that_cannot_be_used_is_not_installed(home: Home) -> None:
    home.write("{gateway: {port: 'x'}}")
    done = home.gateway("install", **manager(home))
    assert done.returncode == 2 and "gateway.port" in done.stderr and not unit(home).exists()


def test_uninstalled_it_is_stopped_and_the_state_stays(home: Home) -> None:
    home.gateway("install", **manager(home))
    (home.folder / "bin" / "asked").unlink()
    done = home.gateway("uninstall", **manager(home))
    assert done.returncode == 0 and not unit(home).exists() and (home.state / "openclaw.json").exists()
    assert asked(home) == ["--user disable --now clawgate-gateway.service", "--user daemon-reload"]
    again = home.gateway("uninstall", **manager(home))
    assert again.returncode == 0 and "No service is installed" in again.stdout


def block(**settings: object) -> str:
    auth = {"mode": "token", "token": TOKEN}
    return json.dumps({"gateway": {"auth": auth}, "plugins": {"entries": {"clawgate": {"config": settings}}}})


@pytest.mark.parametrize(
    ("own", "flag", "stop"),
    [({}, " --drain-timeout 300", 330), ({"drainTimeout": 1200.5}, "", 1231)],
)
def test_a_system_service_drains_for_minutes_or_as_configured(
    home: Home, own: dict[str, float], flag: str, stop: int
) -> None:
    """systemd holds its port meanwhile; it must not kill what still drains."""
    home.write(block(**own))
    units = home.folder / "units"
    done = home.gateway("install", "--system", "nobody", "--unit-folder", str(units), **manager(home))
    assert done.returncode == 0, done.stderr
    text = (units / "clawgate-gateway.service").read_text()
    assert f"-m clawgate gateway run{flag}\n" in text and f"TimeoutStopSec={stop}\n" in text


@pytest.mark.parametrize(("own", "stop"), [({}, 60), ({"drainTimeout": 90}, 120)])
def test_a_user_service_is_not_killed_while_it_drains(home: Home, own: dict[str, float], stop: int) -> None:
    home.write(block(**own))
    assert home.gateway("install", **manager(home)).returncode == 0
    text = unit(home).read_text()
    assert "--drain-timeout" not in text and f"TimeoutStopSec={stop}\n" in text
