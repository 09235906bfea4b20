"""What a stranger sent can be shown without steering the terminal or imitating a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.policy.printable import escape_controls


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
