"""What reaches a log is redacted, bounded, and cannot steer a terminal or imitate a line; on stderr and in the file."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable

import pytest

from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.log_format import JsonFormatter, TextFormatter, subsystem_of
from clawgate.processes.instance.log_tail import parse_line

SECRET = 'sk-"canary"\\0123456789'
HOSTILE = "a\n2026-01-01 00:00:00 [clawgate] INFO forged\r\x1b[2J\x9b31m\u202e\u2028end"


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("clawgate.relay", logging.WARNING, __file__, 1, message, arguments, exc_info)


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def as_text(line: logging.LogRecord) -> str:
    return TextFormatter(Redactor([SECRET])).format(line)


def as_json(line: logging.LogRecord) -> str:
    return JsonFormatter(Redactor([SECRET])).format(line)


both = pytest.mark.parametrize("render", [as_text, as_json])


@both
def test_hostile_text_is_escaped_and_stays_on_its_line(render: Callable[[logging.LogRecord], str]) -> None:
    """As of a duplicate header, a message role or an upstream's error text."""
    line = render(record("refused: %s", HOSTILE))
    assert line.isprintable()
    assert r"a\n2026-01-01" in line.replace(r"\\", "\\") and r"\u202e" in line.replace(r"\\", "\\")


def test_no_line_of_a_traceback_looks_like_one_of_the_log() -> None:
    head, *lines = as_text(record("failed", error=raised(HOSTILE))).split("\n")
    assert head.endswith("failed") and lines
    assert all(line.startswith("    ") and line.isprintable() for line in lines)
    fields = json.loads(as_json(record("failed", error=raised(HOSTILE))))
    assert all(line.isprintable() for line in fields["traceback"].split("\n"))


@both
def test_no_secret_reaches_a_line(render: Callable[[logging.LogRecord], str]) -> None:
    """Also where JSON or the escape would change its spelling."""
    line = render(record("with %s", SECRET, error=raised(f"in a traceback {SECRET}")))
    assert "canary" not in line and "with ***" in line and "in a traceback ***" in line


@both
def test_a_line_is_bounded_and_a_secret_at_the_cut_is_redacted(
    render: Callable[[logging.LogRecord], str],
) -> None:
    line = render(record("%s", "x y" * 4_000 + SECRET * 400 + "z" * 1_000_000))
    assert len(line) < 20_000 and "canary" not in line and "(cut, 1" in line


def test_a_line_has_its_time_level_and_subsystem() -> None:
    fields = json.loads(as_json(record("ü %d", 1)))
    assert re.fullmatch(r"[\d-]+T[\d:.]+\+00:00", fields.pop("time"))
    assert fields == {"level": "warning", "subsystem": "relay", "message": "ü 1"}
    assert re.fullmatch(r"[\d-]+T[\d:.]+\+00:00 warning relay ü 1", as_text(record("ü %d", 1)))


def test_a_line_on_stderr_is_the_one_that_the_logs_command_prints() -> None:
    line = record("failed", error=raised("why"))
    assert as_text(line) == parse_line(as_json(line).encode()).as_text()


def test_a_record_without_a_traceback_has_none() -> None:
    line = record("fine")
    line.exc_info = sys.exc_info()
    assert "\n" not in as_text(line) and "traceback" not in as_json(line)


@pytest.mark.parametrize(
    ("name", "subsystem"),
    [("clawgate", "bridge"), ("root", "bridge"), ("clawgate.workers", "workers"), ("uvicorn", "uvicorn")],
)
def test_the_subsystem_of_a_logger(name: str, subsystem: str) -> None:
    assert subsystem_of(name, "bridge") == subsystem
