"""Flag, environment, config file, default: the first that has a value, with its origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.settings.environment import Environment
from clawgate.settings.resolve import DEFAULT, Resolved, resolve

NAMES = ("FIRST", "SECOND")
ENVIRONMENT = Environment({"SECOND": "process"}).below({"FIRST": "named"}, Path("my.env"))
FLAG = Resolved("flag", "--flag")
IN_FILE = Resolved(None, "openclaw.json:3")


def test_a_flag_wins_over_everything() -> None:
    assert resolve(NAMES, ENVIRONMENT, flag=FLAG, in_file=IN_FILE, default=1) == FLAG


@pytest.mark.parametrize("not_given", [None, ()])
def test_the_strongest_variable_wins_over_the_file_with_its_source(not_given: object) -> None:
    flag = Resolved(not_given, "--flag")
    assert resolve(NAMES, ENVIRONMENT, flag=flag, in_file=IN_FILE) == Resolved("named", "FIRST in my.env")
    found = resolve(("SECOND",), ENVIRONMENT, flag=flag, in_file=IN_FILE)
    assert found == Resolved("process", "environment variable SECOND")


@pytest.mark.parametrize("given", ["", 0, False])
def test_a_flag_that_was_given_counts_however_empty(given: object) -> None:
    """So that an empty token is refused, and does not let another one count."""
    assert resolve(NAMES, ENVIRONMENT, flag=Resolved(given, "--flag")).value == given


def test_the_file_wins_over_the_default_also_with_null() -> None:
    assert resolve((), ENVIRONMENT, in_file=IN_FILE, default=1) is IN_FILE


def test_what_is_set_nowhere_is_the_default() -> None:
    found = resolve(("NONE",), ENVIRONMENT, default=18789)
    assert found == Resolved(18789, DEFAULT) and found.is_default
