"""The last lines of any output are kept: bounded, printable and redacted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.processes.supervision.output_tail import OutputTail


@given(st.binary(max_size=2000), st.lists(st.integers(1, 300), max_size=20))
def test_the_result_is_the_same_however_the_bytes_are_split(data: bytes, sizes: list[int]) -> None:
    whole, pieces = OutputTail(max_lines=5, max_line_length=20), OutputTail(max_lines=5, max_line_length=20)
    whole.feed(data)
    for size in sizes:
        pieces.feed(data[:size])
        data = data[size:]
    pieces.feed(data)
    assert pieces.lines() == whole.lines()


@given(st.lists(st.binary(max_size=300), max_size=50))
def test_lines_are_bounded_in_number_and_length(pieces: list[bytes]) -> None:
    kept = OutputTail(max_lines=3, max_line_length=10)
    for piece in pieces:
        kept.feed(piece)
        lines = kept.lines()
        assert len(lines) <= 3 and all(0 < len(line) <= 11 and line.isprintable() for line in lines)


def test_the_last_lines_are_kept() -> None:
    kept = OutputTail(max_lines=2)
    kept.feed(b"".join(b"line %d\n" % number for number in range(1000)))
    assert kept.lines() == ("line 998", "line 999")
    kept.feed(b"unfinished")
    assert kept.lines() == ("line 999", "unfinished")
    kept.clear()
    assert kept.lines() == ()


def test_an_endless_line_takes_bounded_memory() -> None:
    kept = OutputTail()
    for _ in range(1000):
        kept.feed(b"x" * 65_536)
    assert len(kept._partial) <= 2_000
    (line,) = kept.lines()
    assert len(line) == 501 and line.endswith("x…")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b[31mError:\x1b[0m port in use\r\n", "Error: port in use"),
        (b"a\x1b]0;title\x07b\n", "a ]0;title b"),
        (b"caf\xc3\xa9 \xff\n", "café \ufffd"),
        (b"one\ttwo\n", "one two"),
    ],
)
def test_terminal_control_sequences_are_removed(written: bytes, shown: str) -> None:
    kept = OutputTail()
    kept.feed(written)
    assert kept.lines() == (shown,)


def test_a_secret_is_redacted_where_the_line_is_cut() -> None:
    secret = "sekrit-token-1234567890"
    kept = OutputTail(lambda line: line.replace(secret, "***"), max_line_length=30)
    kept.feed(f"{'x' * 20} {secret} and more\n".encode())
    assert kept.lines() == (f"{'x' * 20} *** and m…",)


def test_a_secret_that_crosses_the_cut_is_not_shown_in_part() -> None:
    """Also where redaction made the text before it short."""
    secret = "sekrit-token-1234567890"
    kept = OutputTail(lambda line: line.replace(secret, "***"), max_line_length=30)
    kept.feed((f"{secret} " * 4 + "x" * 5 + secret).encode())
    assert "sekrit" not in "".join(kept.lines())


@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_complete_line_is_reported_once_redacted_and_printable(size: int) -> None:
    seen: list[str] = []
    kept = OutputTail(lambda line: line.replace("secret", "***"), on_line=seen.append)
    data = b"one\n\x1b[31msecret two\x1b[0m\n\nthr"
    for start in range(0, len(data), size):
        kept.feed(data[start : start + size])
    assert seen == ["one", "*** two"]
    kept.feed(b"ee\n")
    assert seen[2:] == ["three"]
