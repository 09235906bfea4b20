from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.command import OURS, command
from tests.e2e.waiting import poll
from tests.ports import free_port

ID = "anthropic-claude-proxy"
HOST = ("--host-url", "http://127.0.0.1:18789", "--instance", "an-instance")
PROGRAM = "import time; time.sleep(600)"


def write_config(home: Path) -> None:
    state = home / ".openclaw"
    state.mkdir(mode=0o700)
    settings = {"port": free_port(), "command": [sys.executable, "-c", PROGRAM, str(home)]}
    path = state / "openclaw.json"
    path.write_text(json.dumps({"plugins": {"entries": {ID: {"config": settings}}}}))
    path.chmod(0o600)


def programs_of(home: Path) -> list[str]:
    """The supervised programs of this home that run."""
    found = subprocess.run(["ps", "-wweo", "args"], check=True, capture_output=True, text=True).stdout
    return [
        line for line in found.splitlines() if line.startswith(f"{sys.executable} -c") and str(home) in line
    ]


def test_it_runs_until_its_standard_input_ends_and_its_status_is_shown(tmp_path: Path) -> None:
    write_config(tmp_path)
    words = [sys.executable, "-P", "-m", "clawgate", "supervise", ID, *HOST, "--exit-on-stdin-eof"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {"HOME": str(tmp_path)}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdin is not None
        poll(lambda: len(programs_of(tmp_path)) == 1, "the program to run")
        status: dict[str, Any] = {}

        def has_child() -> bool:
            status.update(json.loads(command(ID, "status", "--json", folder=tmp_path).stdout))
            return status["child"] is not None

        poll(has_child, "the status of the child, which is written once the program runs")
        process.stdin.close()
        assert process.wait(60) == 0
    assert status["gateway"] == {"running": True, "url": "http://127.0.0.1:18789"}
    assert status["child"]["state"] == "starting"
    assert programs_of(tmp_path) == []


def test_a_plugin_that_has_no_service_is_a_usage_error(tmp_path: Path) -> None:
    write_config(tmp_path)
    for plugin in ("owl", "nope"):
        done = command("supervise", plugin, *HOST, folder=tmp_path)
        assert done.returncode == 2
        assert f"no plugin '{plugin}' with a service is installed" in done.stderr


def test_invalid_settings_end_it_with_the_status_after_which_nothing_is_tried_again(tmp_path: Path) -> None:
    write_config(tmp_path)
    path = tmp_path / ".openclaw" / "openclaw.json"
    path.write_text(json.dumps({"plugins": {"entries": {ID: {"config": {"port": "many"}}}}}))
    done = command("supervise", ID, *HOST, folder=tmp_path)
    assert done.returncode == 2 and "port" in done.stderr


def test_it_is_for_other_gateways_alone(tmp_path: Path) -> None:
    done = command("supervise", ID, folder=tmp_path)
    assert done.returncode == 2 and "--host-url" in done.stderr
