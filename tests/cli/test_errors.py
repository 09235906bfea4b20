"""One line names the error, the problems follow, and the exit status is the one that was given."""

from __future__ import annotations

import pytest

from clawgate.cli.errors import UNCHANGED, fail, fail_invalid_config
from clawgate.cli.exit_codes import ExitCode


def failed(capsys: pytest.CaptureFixture[str], *arguments: object, **options: object) -> tuple[object, str]:
    """The exit status of `fail` and what it printed on standard error; it prints nothing else."""
    with pytest.raises(SystemExit) as caught:
        fail(*arguments, **options)  # type: ignore[arg-type]  # passed on
    out, err = capsys.readouterr()
    assert out == ""
    return caught.value.code, err


def test_a_failure_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "no") == (1, "clawgate: no\n")


def test_the_outcome_is_a_sentence_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "no such thing.", outcome=UNCHANGED) == (
        1,
        "clawgate: no such thing. Config was not changed.\n",
    )


def test_problems_have_a_line_each_and_the_outcome_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "invalid:", ["a", "b"], outcome=UNCHANGED, status=ExitCode.USAGE) == (
        2,
        "clawgate: invalid:\n  - a\n  - b\nConfig was not changed.\n",
    )


def test_an_invalid_config_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fail_invalid_config(["gateway.port: 70000 is not a port"])
    assert caught.value.code == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "clawgate: invalid configuration:\n  - gateway.port: 70000 is not a port\n"
    )
