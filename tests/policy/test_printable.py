"""What a stranger sent can be shown without steering the terminal or imitating a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.policy.printable import escape_controls, escape_steering, is_quoted


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain ü 漢 🦞", "plain ü 漢 🦞"),
        ("a\nb\r", r"a\nb\r"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202eevil\u2028", r"\u202eevil\u2028"),
        ("\x9b31m\x00", r"\x9b31m\x00"),
        ("\ud800", r"\ud800"),
    ],
)
def test_only_what_is_not_printable_is_escaped(text: str, escaped: str) -> None:
    assert escape_controls(text) == escaped


@given(st.text())
def test_the_result_is_printable_and_stays_the_same_when_escaped_again(text: str) -> None:
    escaped = escape_controls(text)
    assert escaped.isprintable() and escape_controls(escaped) == escaped


@pytest.mark.parametrize("text", ['"sk-1"', "'sk-1'", "`sk-1`", '""'])
def test_quotes_around_a_text_are_found(text: str) -> None:
    assert is_quoted(text) and not is_quoted(text[1:]) and not is_quoted(f"x{text}")


def test_one_quote_is_not_a_pair() -> None:
    assert not is_quoted('"') and not is_quoted("") and not is_quoted("\"a'")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\n\tb\u00a0\U0001f469\u200d\U0001f680", "a\n\tb\u00a0\U0001f469\u200d\U0001f680"),
        ("a\r\nb\rc", "a\nbc"),
        ("\x1b[2J\x9b\x7f\x00", r"\x1b[2J\x9b\x7f\x00"),
        ("\u202e\u2066\u2028\ud800", r"\u202e\u2066\u2028\ud800"),
    ],
)
def test_lines_stay_and_nothing_steers_the_terminal(text: str, escaped: str) -> None:
    assert escape_steering(text) == escaped
