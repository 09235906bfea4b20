"""A diagnostic is one line: where, what is wrong, what to do."""

from __future__ import annotations

import pytest

from clawgate.settings.diagnostic import Diagnostic, Severity


@pytest.mark.parametrize(
    ("diagnostic", "line"),
    [
        (Diagnostic(("a", "b"), "is missing"), "a.b: is missing"),
        (Diagnostic(("a", "b"), "is missing", location="f:1:2"), "a.b (f:1:2): is missing"),
        (Diagnostic((), "is empty", location="/c.json"), "/c.json: is empty"),
        (Diagnostic((), "no token is set"), "no token is set"),
        (Diagnostic(("a", 0), "is wrong", fix="set it to 1"), "a[0]: is wrong; set it to 1"),
    ],
)
def test_str_names_what_is_known_of_the_place_and_the_fix(diagnostic: Diagnostic, line: str) -> None:
    assert str(diagnostic) == line


def test_a_diagnostic_is_an_error_unless_it_says_otherwise() -> None:
    assert Diagnostic((), "x").severity is Severity.ERROR
    assert Severity.INFO < Severity.WARNING < Severity.ERROR
