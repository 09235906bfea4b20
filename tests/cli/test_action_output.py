"""A command prints lines or one object, never both, and an object for a failure, too."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from clawgate.cli.action_output import ActionOutput, action_output
from clawgate.cli.errors import CommandFailed, fail, failures_as_json


def test_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with action_output("start", as_json=False) as output:
        output.line("Started")
        output.warn("careful")
        output.finish("started", pid=7)
    assert capsys.readouterr() == ("Started\n", "careful\n")


def test_the_object_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with action_output("start", as_json=True) as output:
        output.line("Started")
        output.warn("careful")
        output.finish("started", pid=7)
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "ok": True,
        "action": "start",
        "result": "started",
        "pid": 7,
        "warnings": ["careful"],
    }
    assert err == "careful\n"


def fails(output: ActionOutput) -> NoReturn:
    output.warn("careful")
    fail("it failed:", ["a", "b"], status=78)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_failure_is_an_object_and_an_error_line(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(CommandFailed) as caught,
        failures_as_json(["--json"] if as_json else []),
        action_output("stop", as_json=as_json) as output,
    ):
        fails(output)
    out, err = capsys.readouterr()
    assert caught.value.code == 78 and err == "careful\nclawgate: it failed:\n  - a\n  - b\n"
    expected = {
        "ok": False, "action": "stop", "error": "it failed:", "problems": ["a", "b"], "warnings": ["careful"],
    }  # fmt: skip
    assert (json.loads(out) if as_json else out) == (expected if as_json else "")
