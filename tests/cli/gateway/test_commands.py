"""The life of a gateway in the background, with real processes: started, found, drained, started again, killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.processes.instance.pid_identity import wait_for_exit
from tests.cli.gateway_home import TOKEN, Home, SlowModel, ask, under_way
from tests.e2e.waiting import poll


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.configure()
    yield made
    made.close()


@pytest.fixture
def model() -> Iterator[SlowModel]:
    made = SlowModel()
    yield made
    made.close()


def test_started_it_serves_and_stopped_it_is_gone(home: Home) -> None:
    started = home.gateway("start")
    found = home.running()
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout == f"Gateway started: {found.url} (pid {found.pid})\n  log file: {home.log}\n"
    assert home.ask()[0] == 200 and home.log.exists()
    stopped = home.gateway("stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"Gateway stopped (pid {found.pid}).\n")
    assert home.find_instance() is None and wait_for_exit(found.pid, found.identity, 0)


def test_nothing_to_stop_is_no_failure(home: Home) -> None:
    stopped = home.gateway("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "The gateway is not running.\n")


def test_a_secret_flag_reaches_it_by_its_environment(home: Home) -> None:
    """Neither the command line, which everybody can read, nor any file of ours has it."""
    home.configure(auth={})
    assert home.gateway("start", "--token", TOKEN, "--port", "0").returncode == 0
    found = home.running()
    assert found.flags == ("--port", "0") and home.ask("/v1/models")[0] == 200
    assert TOKEN.encode() not in Path(f"/proc/{found.pid}/cmdline").read_bytes()
    files = [path for path in home.state.rglob("*") if path.is_file()]
    assert len(files) >= 4 and not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_what_it_makes_is_for_its_owner_alone(home: Home) -> None:
    old = os.umask(0)
    try:
        assert home.gateway("start").returncode == 0
    finally:
        os.umask(old)
    folder = home.state / "clawgate"
    made = [folder, *folder.rglob("*")]
    assert len(made) >= 6 and not [path for path in made if path.stat().st_mode & 0o077]


def test_started_twice_it_runs_once(home: Home) -> None:
    """That it runs is what was asked for; with other flags it is not."""
    home.gateway("start")
    first = home.running()
    again, otherwise = home.gateway("start"), home.gateway("start", "--verbose")
    assert again.returncode == 0 and f"already running (pid {first.pid} at {first.url}" in again.stderr
    assert otherwise.returncode == 78 and "started with different flags" in otherwise.stderr
    assert home.running() == first


def test_a_second_one_in_the_foreground_is_refused(home: Home) -> None:
    home.gateway("start")
    first = home.running()
    second = home.gateway("run")
    assert second.returncode == 78 and f"(pid {first.pid} at {first.url}, since " in second.stderr
    assert home.running() == first


def test_start_names_the_owner_of_a_taken_port(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = home.gateway("start", "--port", str(port))
    assert started.returncode == 78 and f"port {port} on 127.0.0.1 is already in use" in started.stderr
    assert home.find_instance() is None


def test_what_a_start_failed_of_is_shown(home: Home) -> None:
    home.configure(port="x")
    started = home.gateway("start")
    assert started.returncode == 2 and "gateway.port" in started.stderr and started.stdout == ""
    assert home.find_instance() is None


def test_killed_it_leaves_nothing_that_is_believed(home: Home) -> None:
    home.gateway("start")
    first = home.running()
    os.kill(first.pid, signal.SIGKILL)
    assert wait_for_exit(first.pid, first.identity, 30)
    assert home.gateway("stop").stdout == "The gateway is not running.\n"
    assert home.gateway("start").returncode == 0 and home.running().pid != first.pid


def test_restarted_it_is_the_same_process_anew(home: Home) -> None:
    """Same number, port and flags; another instance, which reads the config again."""
    home.gateway("start", "--verbose")
    before = home.running()
    restarted = home.gateway("restart")
    after = home.running()
    assert restarted.returncode == 0, restarted.stderr
    assert restarted.stdout.startswith(
        f"Gateway restart request sent to process on port {before.port}: {before.pid}.\n"
        f"Gateway restarted: {before.url} (pid {before.pid}"
    )
    assert (after.pid, after.url, after.flags) == (before.pid, before.url, ("--verbose",))
    assert after.instance != before.instance and home.ask()[0] == 200


def test_no_connection_is_refused_while_it_restarts(home: Home) -> None:
    """Clients that come meanwhile wait a moment and are answered."""
    home.gateway("start")
    port = home.running().port
    assert port is not None
    done = threading.Event()
    statuses: list[int] = []

    def knock() -> None:
        while not done.is_set():
            statuses.append(ask(port, "/health")[0])

    clients = [threading.Thread(target=knock) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(2):
            assert home.gateway("restart").returncode == 0
    finally:
        done.set()
        for client in clients:
            client.join(30)
    assert len(statuses) > 20 and set(statuses) == {200}


def test_an_answer_under_way_survives_a_restart(home: Home, model: SlowModel) -> None:
    home.configure(upstream=model.port)
    home.gateway("start")
    before = home.running()
    with under_way(home, model) as answers:
        too_short = home.gateway("restart", "--timeout", "0.5")
        assert too_short.returncode == 1 and "requests may still run" in too_short.stderr
        assert home.running().instance == before.instance
    assert [status for status, _ in answers] == [200]
    poll(lambda: home.running().instance not in (None, before.instance), "a new instance")
    assert home.running().pid == before.pid


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


def test_a_restart_with_a_config_that_cannot_be_used_changes_nothing(home: Home) -> None:
    home.gateway("start")
    before = home.running()
    home.configure(port="x")
    refused = home.gateway("restart")
    assert (
        refused.returncode == 1
        and "gateway.port" in refused.stderr
        and "keeps its old config" in refused.stderr
    )
    assert home.running() == before and home.ask()[0] == 200


def test_a_failed_restart_prints_the_output_of_the_gateway(home: Home) -> None:
    """The file is as it should be, and lets nobody in: that shows only when the gateway is built."""
    home.gateway("start")
    home.configure(auth={})
    failed = home.gateway("restart")
    assert failed.returncode == 1 and "ended instead of restarting" in failed.stderr
    assert "  | " in failed.stderr and "gateway.auth" in failed.stderr and home.find_instance() is None


def test_a_restart_does_not_take_other_flags(home: Home) -> None:
    home.gateway("start")
    before = home.running()
    refused = home.gateway("restart", "--port", "1")
    assert refused.returncode == 1 and "keeps the flags" in refused.stderr and home.running() == before


def test_a_restart_of_what_does_not_run_starts_it(home: Home) -> None:
    restarted = home.gateway("restart")
    assert restarted.returncode == 0 and restarted.stdout.startswith(
        "The gateway is not running; starting it.\n"
    )
    assert home.ask()[0] == 200


def test_one_in_the_foreground_restarts_and_stops_alike(home: Home) -> None:
    with home.begin("gateway", "run") as process:
        try:
            poll(lambda: (found := home.find_instance()) is not None and found.url is not None, "it serves")
            before = home.running()
            assert home.gateway("restart").returncode == 0
            assert (home.running().pid, home.running().url) == (process.pid, before.url)
            logs = home.run("logs")
            assert logs.returncode == 1 and "runs in the foreground" in logs.stderr
            assert home.gateway("stop").returncode == 0
            assert process.wait(30) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the process list is hidden on Linux only")
def test_a_restart_keeps_a_secret_flag_and_does_not_show_it(home: Home) -> None:
    home.configure(auth={"token": "another-token-than-that-of-the-flag"})
    with home.begin("gateway", "run", "--token", TOKEN, "--port", "0") as process:
        try:
            poll(lambda: (found := home.find_instance()) is not None and found.url is not None, "it serves")
            assert home.gateway("restart").returncode == 0
            assert home.ask()[0] == 200
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert b"--token" in shown and TOKEN.encode() not in shown
            assert home.gateway("stop").returncode == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def test_a_holder_that_cannot_be_seen_is_not_signalled(home: Home) -> None:
    """As in another container with the same folder: its number means somebody else here, or nobody."""
    home.gateway("start")
    found = home.running()
    lock = home.state / "clawgate" / "gateway.lock"
    text = lock.read_text()
    lock.write_text(re.sub(r"pid:\[\d+\]", "pid:[1]", text))
    try:
        for verb in ("stop", "restart"):
            refused = home.gateway(verb)
            assert refused.returncode == 1 and "is not visible from here" in refused.stderr
    finally:
        lock.write_text(text)  # so that it is found and ended
    assert home.running() == found


def test_help_names_every_command(home: Home) -> None:
    found = home.gateway("--help")
    for name in ("run", "start", "stop", "restart", "status", "health", "install", "uninstall"):
        assert f"\n  {name} " in found.stdout
