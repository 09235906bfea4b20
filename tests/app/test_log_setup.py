"""A failure is logged once, with its reason and without secrets; a client that disconnects is no failure."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from clawgate.app.log_setup import (
    ANONYMOUS_ERRORS_PER_MINUTE,
    AuthFailureMonitor,
    RequestLog,
    has_failed,
    has_own_error,
    set_up_logging,
    tee_observers,
    write_line,
)
from clawgate.policy.redaction import Redactor
from clawgate.relay.observe.record import RequestRecord

FINE = RequestRecord(
    method=b"POST", path=b"/v1/chat/completions", caller="alice", model="m", status=200, code=None, sent=12,
    first_byte=0.1, total=0.25,
)  # fmt: skip
FAILED = replace(FINE, status=502, code="upstream_closed", first_byte=None, reason="http://h ended it")
LEFT = replace(FINE, status=499, code="client_left", reason="the client went away")
UNAUTHORIZED = replace(FINE, status=401, code="upstream_unauthorized")
SECRET = "canary-93f1-Kw9"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[tuple[str, str]]]:
    """(level, text) of what was logged; filled as it comes."""
    found: list[tuple[str, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelname, record.getMessage()))

    handler = Keep()
    logger = logging.getLogger("clawgate")
    caplog.set_level(logging.DEBUG, "clawgate")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


@pytest.fixture
def own_root() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("uvicorn", "uvicorn.error", "asyncio")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def clock() -> float:
    return 1000.0


own_errors = RequestLog(clock, has_own_error)
failures = RequestLog(clock, has_failed)
everything = RequestLog(clock)


def test_a_failure_is_a_warning_with_its_reason(lines: list[tuple[str, str]]) -> None:
    own_errors(FAILED)
    assert lines == [
        (
            "WARNING",
            "POST /v1/chat/completions: 502 upstream_closed, 12 bytes in 250 ms: http://h ended it",
        )
    ]


@pytest.mark.parametrize("record", [FINE, LEFT, replace(FINE, status=401)])
def test_errors_of_others_are_not_logged(record: RequestRecord, lines: list[tuple[str, str]]) -> None:
    own_errors(record)
    assert lines == []


@pytest.mark.parametrize("log", [own_errors, failures])
def test_a_response_that_broke_behind_its_head_is_logged(
    log: Callable[[RequestRecord], None], lines: list[tuple[str, str]]
) -> None:
    """Its status was 200."""
    log(replace(FAILED, status=200, served="openai/m"))
    served = (
        "POST /v1/chat/completions by openai/m: 200 upstream_closed, 12 bytes in 250 ms: http://h ended it"
    )
    assert lines == [("WARNING", served)]


@pytest.mark.parametrize("status", [200, 499])
def test_a_disconnected_client_is_not_logged_as_a_failure(status: int, lines: list[tuple[str, str]]) -> None:
    failures(replace(LEFT, status=status))
    failures(FINE)
    assert lines == []


def test_verbose_logs_everything_and_only_failures_as_warnings(lines: list[tuple[str, str]]) -> None:
    for record in (FINE, LEFT, FAILED):
        everything(record)
    assert [level for level, _ in lines] == ["INFO", "INFO", "WARNING"]
    assert lines[0][1] == "POST /v1/chat/completions: 200, 12 bytes in 250 ms"


def test_paths_and_reasons_are_cut(lines: list[tuple[str, str]]) -> None:
    everything(replace(FAILED, path=b"/" + b"-eyJ" * 8_000, reason="r" * 60_000))
    assert len(lines[0][1]) < 800


def test_rejected_strangers_cannot_fill_the_log(lines: list[tuple[str, str]]) -> None:
    """Callers with a token are logged all the same, and what was not logged is counted."""
    now = 0.0
    log = RequestLog(lambda: now, has_failed)
    rejected = replace(FAILED, caller="-", status=401, code="missing_token", reason="no token")
    for _ in range(8_000):
        log(rejected)
    assert len(lines) == ANONYMOUS_ERRORS_PER_MINUTE + 1 and "only counted" in lines[-1][1]
    log(FAILED)
    assert "upstream_closed" in lines[-1][1]
    now = 60.0
    log(rejected)
    assert "7970 failed requests" in lines[-2][1] and "missing_token" in lines[-1][1]


@pytest.mark.usefixtures("own_root")
def test_hostile_text_stays_on_its_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a path, and of a reason that quotes a header, a message role or an upstream's error."""
    set_up_logging(Redactor(), verbose=False)
    RequestLog(clock)(replace(FAILED, path=b"/v1/\r\n\x1b[2J\xff", reason="'a\nb', \x1b]0;t\x07, \u202eevil"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable() and r"\u202eevil" in line


def test_both_observers_are_called_in_order() -> None:
    logged: list[tuple[str, RequestRecord]] = []
    tee_observers(lambda record: logged.append(("a", record)), lambda record: logged.append(("b", record)))(
        FINE
    )
    assert logged == [("a", FINE), ("b", FINE)]


def test_a_rejected_credential_is_logged_at_most_once_a_minute(lines: list[tuple[str, str]]) -> None:
    times = iter([0.0, 0.5, 59.9, 60.0, 61.0, 200.0])
    watch = AuthFailureMonitor("check the key", lambda: next(times))
    logged = []
    for _ in range(6):
        watch(UNAUTHORIZED)
        logged.append(len(lines))
    assert logged == [1, 1, 1, 2, 2, 3]
    assert set(lines) == {("WARNING", "check the key")}


def test_our_own_401_is_not_logged_as_a_rejected_credential(lines: list[tuple[str, str]]) -> None:
    """Nor is any other response, and neither uses up the minute."""
    watch = AuthFailureMonitor("check the key", lambda: 7.0)
    for record in (replace(UNAUTHORIZED, code="invalid_token"), FINE, replace(FINE, status=403), FAILED):
        watch(record)
    assert lines == []
    watch(UNAUTHORIZED)
    assert len(lines) == 1


@pytest.mark.usefixtures("own_root")
def test_no_secret_reaches_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """In the text, in an argument, in a traceback, and learned after the log was set up."""
    redactor = Redactor([SECRET])
    set_up_logging(redactor, verbose=False)
    logger = logging.getLogger("clawgate.some.module")
    redactor.add(["later-canary-4711"])
    logger.warning("%s and later-canary-4711", SECRET)
    try:
        raise ValueError(f"in a traceback {SECRET}")
    except ValueError:
        logger.exception("it failed")
    logged = capsys.readouterr()
    assert logged.out == ""
    assert "canary" not in logged.err and "*** and ***" in logged.err and "in a traceback ***" in logged.err


@pytest.mark.usefixtures("own_root")
@pytest.mark.parametrize("verbose", [False, True])
def test_details_are_logged_with_verbose_only(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The libraries' chatter is never logged. Setting up twice does not log everything twice."""
    set_up_logging(Redactor(), verbose=verbose)
    set_up_logging(Redactor(), verbose=verbose)
    logging.getLogger("clawgate").debug("a detail")
    logging.getLogger("clawgate").info("a fact")
    for noisy in ("uvicorn.error", "asyncio"):
        logging.getLogger(noisy).info("chatter")
    logged = capsys.readouterr().err
    assert logged.count("a detail") == verbose and logged.count("a fact") == 1 and "chatter" not in logged


class Broken:
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise AssertionError("nothing was written")


def test_an_unreadable_access_log_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_line("a line\n")
    assert capsys.readouterr().out == "a line\n"
    monkeypatch.setattr(sys, "stdout", Broken())
    write_line("a line\n")
