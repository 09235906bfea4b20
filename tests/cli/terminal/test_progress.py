"""A terminal shows the progress, a script sees nothing of it."""

from __future__ import annotations

import pytest

from clawgate.cli.terminal.progress import Progress


def show(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with Progress("stopping") as progress:
        for seconds in (0.1, 0.6, 0.7, 1.2):
            progress(seconds)


def test_on_a_terminal_one_line_counts_and_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, terminal=True)
    assert capsys.readouterr() == ("", "\rstopping ... 0 s\rstopping ... 1 s\r\x1b[K")


def test_elsewhere_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, terminal=False)
    assert capsys.readouterr() == ("", "")


def test_what_was_quick_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("stopping") as progress:
        progress(0.2)
    assert capsys.readouterr() == ("", "")
