"""Without a terminal lines are read as they are, and no history is touched."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from clawgate.cli.chat.line_input import LineInput


def test_a_pipe_is_read_by_line_and_leaves_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo"))
    lines = LineInput(tmp_path / "history")
    with lines.with_history():
        assert [lines.read("> ") for _ in range(3)] == ["one", "", "two"]
        with pytest.raises(EOFError):
            lines.read("> ")
    assert capsys.readouterr().out == "" and not list(tmp_path.iterdir())
