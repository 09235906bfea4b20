"""``clawgate gateway restart``: the same process anew if it could start, and otherwise as it is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.cli.gateway_home import TOKEN, Home, SlowModel, ask, under_way
from tests.e2e.waiting import poll


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
            client.join(120)
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
            assert process.wait(120) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{gateway: {port: 'x'}}", "gateway.port"),
        ("{ broken", "openclaw.json:1"),
        ("{gateway: {port: 0, auth: {token: '${NOT_SET}'}}}", "NOT_SET is not set"),
        ("{gateway: {port: 0, bind: 'lan'}}", "every request would be rejected"),
        ("{gateway: {port: 0, auth: {mode: 'password'}}}", "gateway.auth.password"),
        ("{plugins: {entries: {clawgate: {config: {discoverModel: 1}}}}}", "discoverModel"),
    ],
)
def test_what_could_not_start_again_keeps_running(text: str, reason: str, home: Home) -> None:
    """With the reason and the exit status of a start, also as JSON, and in the gateway's log."""
    home.gateway("start")
    before = home.running()
    home.write(text)
    refused = home.gateway("restart")
    assert refused.returncode == 2 and "keeps running as it is" in refused.stderr and reason in refused.stderr
    as_json = home.gateway("restart", "--json")
    output = json.loads(as_json.stdout)
    assert (as_json.returncode, output["ok"], output["action"]) == (2, False, "restart")
    assert reason in "; ".join(output["problems"])
    # It responds; that token is not in the file any more, so it may be revoked.
    assert home.running() == before and home.ask()[0] in (200, 401)
    assert "restart refused" in home.log.read_text()


def test_a_port_that_is_taken_keeps_the_old_one(home: Home) -> None:
    """And a free one is taken."""
    home.gateway("start")
    before = home.running()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.configure(port=port)
        refused = home.gateway("restart")
        assert refused.returncode == 78 and f"port {port} on 127.0.0.1 is already in use" in refused.stderr
        assert home.running() == before and home.ask()[0] == 200
    restarted = home.gateway("restart", "--json")
    assert restarted.returncode == 0, restarted.stderr
    assert home.running().port == port == json.loads(restarted.stdout)["port"]


def test_a_log_file_that_cannot_be_written_keeps_the_old_one(home: Home) -> None:
    home.gateway("start")
    before = home.running()
    home.log.rename(home.log.with_name("moved"))
    home.log.mkdir()
    refused = home.gateway("restart")
    assert refused.returncode == 2 and "the log file" in refused.stderr and home.running() == before


def test_a_signal_by_hand_is_refused_alike(home: Home) -> None:
    """As by `systemctl --user kill -s USR1`: the check is the gateway's own."""
    home.gateway("start")
    before = home.running()
    home.write("{ broken")
    os.kill(before.pid, signal.SIGUSR1)
    poll(lambda: "restart refused" in home.log.read_text(), "the refusal")
    assert home.running() == before and home.ask()[0] in (200, 401)


def test_a_refusal_of_before_does_not_count(home: Home) -> None:
    home.gateway("start")
    text = (home.state / "openclaw.json").read_text()
    home.write("{ broken")
    assert home.gateway("restart").returncode == 2
    home.write(text)
    assert home.gateway("restart").returncode == 0


def test_a_gateway_that_ends_instead_is_reported(home: Home, model: SlowModel) -> None:
    home.configure(upstream=model.port)
    home.gateway("start")
    before = home.running()
    with under_way(home, model):
        with home.begin("gateway", "restart") as restarting:
            poll(lambda: not listens(before.port), "the drain")
            os.kill(before.pid, signal.SIGKILL)
            _, errors = restarting.communicate(timeout=120)
        assert restarting.returncode == 1 and b"ended instead of restarting" in errors


def listens(port: int | None) -> bool:
    """Whether a gateway responds there; one that drains for a restart lets connections wait."""
    with socket.socket() as client:
        client.settimeout(0.3)
        try:
            client.connect(("127.0.0.1", port or 0))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return bool(client.recv(1))
        except OSError:
            return False
