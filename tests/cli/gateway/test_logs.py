"""`clawgate logs`: the past, what comes, and a next step where there is nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.gateway_home import TOKEN, Home
from tests.processes.instance.fake_gateway import FakeGateway, closes, failure, ok


def line(message: str, level: str = "info") -> str:
    said = {"time": "2026-01-02T03:04:05.678+00:00", "level": level, "subsystem": "s", "message": message}
    return json.dumps(said) + "\n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.log.parent.mkdir(parents=True)
    yield made
    made.close()


def test_the_last_lines_for_people(home: Home) -> None:
    home.log.write_text(line("one") + line("two") + line("three", "error"))
    done = home.run("logs", "--limit", "2")
    assert done.returncode == 0 and done.stdout.splitlines() == [
        f"Log file: {home.log}",
        "2026-01-02T03:04:05.678+00:00 info s two",
        "2026-01-02T03:04:05.678+00:00 error s three",
    ]


def test_the_last_lines_for_programs(home: Home) -> None:
    """Each line says what it is."""
    home.log.write_text(line("one") + line("two", "error"))
    done = home.run("logs", "--json", "--level", "error")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {"type": "meta", "file": str(home.log)}
    assert (second["type"], second["level"], second["message"]) == ("log", "error", "two")


def test_without_a_log_there_is_a_next_step(home: Home) -> None:
    done = home.run("logs")
    assert done.returncode == 1 and "clawgate gateway start" in done.stderr and done.stdout == ""


def test_an_unreadable_log_is_an_error(home: Home) -> None:
    home.log.mkdir()
    done = home.run("logs")
    assert done.returncode == 1 and "cannot be read: Is a directory" in done.stderr


def test_following_shows_what_comes_until_it_is_interrupted(home: Home) -> None:
    """Over a rotation, which it tells of."""
    home.log.write_text(line("past"))
    with home.begin("logs", "--follow", "--json", "--level", "info") as process:
        try:
            assert process.stdout is not None
            heard = (json.loads(text) for text in process.stdout)
            assert next(heard)["type"] == "meta" and next(heard)["message"] == "past"
            with home.log.open("a") as log:
                log.write(line("hidden", "debug") + line("now"))
            assert next(heard)["message"] == "now"
            home.log.rename(home.log.with_name("gateway.log.1"))
            home.log.write_text(line("later"))
            assert next(heard) == {"type": "notice", "message": "the log file was rotated"}
            assert next(heard)["message"] == "later"
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 130 and process.stderr is not None and process.stderr.read() == b""
        finally:
            process.kill()


def test_the_log_of_a_gateway_is_found(home: Home) -> None:
    home.configure()
    home.gateway("start")
    done = home.run("logs")
    assert done.returncode == 0 and " info gateway http server listening on http://" in done.stdout


def remote(*arguments: str, responses: list[dict[str, Any]]) -> tuple[Result, list[dict[str, Any]]]:
    """`logs --url`, of a gateway with these responses to `logs.tail`; and what it was requested."""
    left = list(responses)
    with FakeGateway(others=lambda *_: [left.pop(0)]) as fake:
        found = CliRunner().invoke(clawgate, ["logs", *arguments, "--url", fake.url, "--token", "t"])
        return found, fake.params("logs.tail")


def tail(*messages: str, cursor: int = 9, **more: bool) -> dict[str, Any]:
    lines = [line(message, "error" if message == "bad" else "info").strip() for message in messages]
    return ok({"file": "/var/gw.log", "cursor": cursor, "lines": lines, **more})


def test_the_log_of_a_gateway_elsewhere() -> None:
    found, _ = remote("--limit", "1", responses=[tail("one", "two")])
    head, shown = found.stdout.splitlines()
    assert head.startswith("Log file: /var/gw.log of ws://127.0.0.1:") and shown.endswith(" info s two")
    found, _ = remote("--level", "error", "--json", responses=[tail("one", "bad", "two")])
    assert [json.loads(text).get("message") for text in found.stdout.splitlines()] == [None, "bad"]
    found, _ = remote("--limit", "0", responses=[tail("one")])
    assert found.stdout.splitlines()[1:] == ["-- no lines"]


def test_following_one_elsewhere_reads_on_from_the_cursor_until_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clawgate.cli.gateway.logs._REMOTE_POLL_SECONDS", 0)
    responses = [
        tail("one", cursor=5), tail("two", cursor=9), tail("three", cursor=2, reset=True),
        tail("four", cursor=7, truncated=True), closes(1012, "service restart"),
    ]  # fmt: skip
    found, requests = remote("--follow", responses=responses)
    shown = [text.rpartition(" ")[2] for text in found.stdout.splitlines()[1:]]
    assert shown == ["one", "two", "rotated", "three", "here", "four"]
    assert [params.get("cursor") for params in requests] == [None, 5, 9, 2, 7]
    assert found.exit_code == 1
    assert found.stderr == "clawgate: the gateway closed the connection (1012: service restart)\n"


def test_one_elsewhere_without_a_log_says_why() -> None:
    found, _ = remote(responses=[failure("this gateway logs to its terminal")])
    assert (found.exit_code, found.stderr) == (1, "clawgate: this gateway logs to its terminal\n")


def test_a_log_elsewhere_steers_no_terminal() -> None:
    found, _ = remote(responses=[ok({"file": "a\x1b[31m", "cursor": 1, "lines": ["x\x1b[31m"]})])
    assert "\x1b" not in found.stdout


def test_the_log_of_a_real_gateway_comes_over_its_websocket(home: Home) -> None:
    home.configure()
    assert home.gateway("start").returncode == 0
    done = home.run("logs", "--url", f"ws://127.0.0.1:{home.running().port}", "--token", TOKEN)
    assert done.returncode == 0 and "http server listening on" in done.stdout and TOKEN not in done.stdout
