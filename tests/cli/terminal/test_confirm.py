"""Only yes or no is an answer; an abort prints what was not done."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from clawgate.cli.terminal import confirm as confirming
from clawgate.cli.terminal.confirm import confirm


@pytest.mark.parametrize(
    ("typed", "default", "means"),
    [("y", False, True), ("YES ", False, True), ("n", True, False), ("", True, True), ("", False, False)],
)
def test_an_answer(typed: str, default: bool, means: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert confirm("Do it?", default=default, on_abort="Not done.") is means


def test_an_invalid_answer_prompts_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also what is not text of this terminal."""
    said: Iterator[str | Exception] = iter(
        [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "not text"), "maybe", "y"]
    )

    def read_line(prompt: str, *, err: bool) -> str:
        assert prompt == "Do it? [y/N]: " and err
        found = next(said)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(confirming, "read_line", read_line)
    assert confirm("Do it?", default=False, on_abort="Not done.", err=True)
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("answer yes or no") == 2


@pytest.mark.parametrize("leaving", [EOFError, KeyboardInterrupt])
def test_an_abort_prints_what_was_not_done(
    leaving: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_line(prompt: str, *, err: bool) -> str:
        raise leaving

    monkeypatch.setattr(confirming, "read_line", read_line)
    with pytest.raises(SystemExit) as ended:
        confirm("Do it?", default=True, on_abort="Not done.")
    assert ended.value.code == 130 and capsys.readouterr().err == "\nNot done.\n"
