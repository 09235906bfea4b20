"""A deployment that is killed at any step: the next run ends with one healthy service. Takes twenty minutes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.bare_host import Host, next_release, running_host, wheelhouse, why_absent
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(why_absent()), reason=why_absent()),
]

SECRETS = {"OPENAI_API_KEY": OPENAI_KEY, "OPENAI_PROXY_TOKEN": CLIENT_TOKEN}
STEPS = ("systemctl", "install", "ln", "mv", "cp", "runuser", "useradd", "touch")
_STEP = """#!/bin/sh
count=$(($(cat /run/step) + 1))
echo $count >/run/step
if [ $count = "$(cat /run/kill-at)" ]; then
    pid=$PPID
    while grep -qa -- --on-host /proc/$pid/cmdline; do
        parent=$(cut -d ' ' -f 4 /proc/$pid/stat)
        kill -9 $pid
        pid=$parent
    done
    exit 1
fi
PATH=/usr/sbin:/usr/bin:/sbin:/bin exec {name} "$@"
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        for name in STEPS:
            place = f"/usr/local/bin/{name}"
            found.run("sh", "-c", f"cat >{place} <<'END'\n{_STEP.format(name=name)}END\nchmod 755 {place}")
        yield found


def kill_at(host: Host, step: int) -> None:
    host.run("sh", "-c", f"echo 0 >/run/step; echo {step} >/run/kill-at")


def serving(host: Host, role: str) -> str:
    """The release that serves; it is healthy, and nothing else runs or is to be started."""
    script = (
        f"systemctl list-units --plain --no-legend --state=active,activating 'clawgate-{role}-*.service' | wc -l; "
        f"systemctl is-enabled clawgate-{role}.socket; cat /opt/clawgate/{role}/current/release; "
        "ls /run/clawgate.* | wc -l; "
        f"systemctl is-active clawgate-{role}-$(readlink /opt/clawgate/{role}/current).service"
    )
    number, enabled, release, left, active = host.run("sh", "-c", script).split()
    assert (number, enabled, left, active) == ("1", "enabled", "0", "active")
    return release


@pytest.mark.parametrize("role", ["server", "gateway"])
def test_a_run_after_one_that_was_killed_ends_healthy(host: Host, tmp_path: Path, role: str) -> None:
    """Killed before each of its steps: the first deployment, an upgrade and its rollback."""
    wheels = wheelhouse(tmp_path / "wheels")
    newer = next_release(wheels, tmp_path / "newer")
    first = ["--offline", str(wheels), "--role", role]
    upgrade = ["--offline", str(newer), "--role", role, "--upgrade"]
    kept = (
        "mkdir -p /opt/clawgate/kept/1; ls /opt/clawgate/releases | head -n 1 >/opt/clawgate/kept/1/release"
    )

    def killed(step: int, *arguments: str) -> bool:
        kill_at(host, step)
        done = host.deploy(*arguments, **SECRETS)
        assert done.returncode in (0, 255), f"step {step}: {done.stdout}{done.stderr}"
        kill_at(host, 0)
        return done.returncode != 0

    def whole(*arguments: str) -> str:
        done = host.deploy(*arguments, **SECRETS)
        assert done.returncode == 0, done.stdout + done.stderr
        return serving(host, role)

    for step in itertools.count(1):
        more = killed(step, *first)
        assert not whole(*first).startswith("9.9.9"), step
        if not more:
            break
        host.run("sh", "-c", kept)
        assert host.deploy("--role", role, "--uninstall").returncode == 0
    assert step > 10
    for step in itertools.count(1):
        more = killed(step, *upgrade)
        assert whole(*upgrade).startswith("9.9.9"), step
        if not more:
            break
        killed(step, "--role", role, "--rollback")
        assert not whole("--role", role, "--rollback").startswith("9.9.9"), step
    assert step > 10
