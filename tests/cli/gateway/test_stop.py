"""``clawgate gateway stop``: what is under way may end, unless it is forced."""

from __future__ import annotations

import json
import os
import signal

from clawgate.processes.instance.pid_identity import wait_for_exit
from tests.cli.gateway_home import Home, SlowModel, under_way


def test_nothing_to_stop_is_no_failure(home: Home) -> None:
    stopped = home.gateway("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "The gateway is not running.\n")


def test_an_answer_under_way_survives_a_stop_unless_it_is_forced(home: Home, model: SlowModel) -> None:
    home.configure(upstream=model.port)
    home.gateway("start")
    with under_way(home, model):
        gentle = home.gateway("stop", "--timeout", "0.5")
        assert gentle.returncode == 1 and "clawgate gateway stop --force" in gentle.stderr
        assert home.find_instance() is not None
        forced = home.gateway("stop", "--force", "--timeout", "0.2")
        assert forced.returncode == 0 and home.find_instance() is None


def test_a_stop_also_ends_a_restart(home: Home, model: SlowModel) -> None:
    """Whoever stops it while it drains for its next life does not want that one any more."""
    home.configure(upstream=model.port)
    home.gateway("start")
    found = home.running()
    with under_way(home, model):
        os.kill(found.pid, signal.SIGUSR1)
        os.kill(found.pid, signal.SIGUSR1)
        assert home.gateway("stop", "--timeout", "20").returncode == 0
    assert home.find_instance() is None and wait_for_exit(found.pid, found.identity, 0)


def test_json_has_the_same_facts(home: Home) -> None:
    assert json.loads(home.gateway("stop", "--json").stdout) == {
        "ok": True, "action": "stop", "result": "not-running",
    }  # fmt: skip
    home.gateway("start")
    found = home.running()
    assert json.loads(home.gateway("stop", "--json").stdout) == {
        "ok": True, "action": "stop", "result": "stopped", "pid": found.pid,
    }  # fmt: skip


def test_a_response_beyond_the_drain_limit_does_not_keep_the_gateway(home: Home, model: SlowModel) -> None:
    home.configure(upstream=model.port)
    assert home.gateway("start", "--drain-timeout", "0.2").returncode == 0
    with under_way(home, model):
        assert home.gateway("stop", "--timeout", "20").returncode == 0
    assert home.find_instance() is None
