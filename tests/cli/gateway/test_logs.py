"""`clawgate logs`: the past, what comes, and a next step where there is nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.gateway_home import Home


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
            assert process.wait(30) == 130 and process.stderr is not None and process.stderr.read() == b""
        finally:
            process.kill()


def test_the_log_of_a_gateway_is_found(home: Home) -> None:
    home.configure()
    home.gateway("start")
    done = home.run("logs")
    assert done.returncode == 0 and " info gateway http server listening on http://" in done.stdout
