"""One line a request, which no value of a client's can end or forge, and no line is lost."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.relay.observe.access_log import AccessLog, line
from clawgate.relay.observe.record import RequestRecord

PLAIN = RequestRecord(b"POST", b"/v1/chat/completions", "alice", "gpt-5", 200, None, 1234, 0.0123, 1.5)
WHEN = 1_700_000_000.0


def test_the_whole_line() -> None:
    """When, who, what, how it went."""
    assert line(PLAIN, WHEN) == (
        "2023-11-14T22:13:20.000+00:00 method=POST path=/v1/chat/completions token=alice model=gpt-5 status=200 "
        "error=- bytes=1234 first_byte_ms=12.3 total_ms=1500.0\n"
    )


def test_what_is_missing_is_a_hyphen() -> None:
    said = line(dataclasses.replace(PLAIN, model=None, first_byte=None), WHEN)
    assert " model=- " in said and " first_byte_ms=- " in said and " error=- " in said
    assert " error=upstream_closed " in line(dataclasses.replace(PLAIN, code="upstream_closed"), WHEN)


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("openai/gpt-5:2025@x+y_z.", "openai/gpt-5:2025@x+y_z."), ("", "-"), ("a b", '"a b"'), ('a"b', '"a?b"'),
        ("a\\b", '"a?b"'), ("a\nb", '"a?b"'), ("a\r\nstatus=500", '"a??status=500"'), ("a\x1b[31m", '"a?[31m"'),
        ("\u2028", '"?"'), ("\u202e", '"?"'), ("\x00", '"?"'), ("\ud800", '"?"'), ("a=b", '"a=b"'), ("ü", '"\\xfc"'),
        ("x" * 128, "x" * 128), ("x" * 129, '"' + "x" * 128 + '"'), ("a\n", '"a?"'),
    ],
)  # fmt: skip
def test_a_value_can_neither_end_the_line_nor_look_like_a_field(model: str, shown: str) -> None:
    assert f" model={shown} status=" in line(dataclasses.replace(PLAIN, model=model), WHEN)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.text(min_size=1, max_size=200))
def test_no_text_makes_two_lines_or_a_field_of_its_own(caller: str, model: str) -> None:
    """Outside quotes, each field name stands there once, in its order; and the line can be written as UTF-8."""
    said = line(dataclasses.replace(PLAIN, caller=caller, model=model), WHEN)
    assert said.splitlines(keepends=True) == [said]
    said.encode()
    outside = "".join(said.split('"')[::2])
    names = [word.partition("=")[0] for word in outside.split()[1:]]
    assert names == [
        "method",
        "path",
        "token",
        "model",
        "status",
        "error",
        "bytes",
        "first_byte_ms",
        "total_ms",
    ]


def test_lines_wait_until_there_are_many() -> None:
    written: list[str] = []
    log = AccessLog(written.append, lambda: WHEN, batch=3)
    log(PLAIN)
    log(PLAIN)
    assert written == []
    log(PLAIN)
    assert len(written) == 1 and written[0] == line(PLAIN, WHEN) * 3


def test_flush_writes_what_waits_once_and_nothing_where_nothing_waits() -> None:
    written: list[str] = []
    log = AccessLog(written.append, lambda: WHEN)
    log.flush()
    log(PLAIN)
    log.flush()
    log.flush()
    assert written == [line(PLAIN, WHEN)]


def test_a_line_has_the_time_of_its_exchange_not_of_its_writing() -> None:
    written: list[str] = []
    times = iter([WHEN, WHEN + 60])
    log = AccessLog(written.append, lambda: next(times))
    log(PLAIN)
    log(PLAIN)
    log.flush()
    assert [text[:19] for text in written[0].splitlines()] == ["2023-11-14T22:13:20", "2023-11-14T22:14:20"]


def test_a_writer_that_fails_does_not_make_lines_come_twice() -> None:
    """What could not be written is given up, so that a full disk does not fill the memory as well."""
    log = AccessLog(lambda text: 1 / 0, lambda: WHEN)
    log(PLAIN)
    with pytest.raises(ZeroDivisionError):
        log.flush()
    log.flush()
