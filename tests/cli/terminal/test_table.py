"""A table is whole wherever it goes: aligned in a pipe, ruled on a terminal."""

from __future__ import annotations

import sys

import pytest

from clawgate.cli.terminal.table import print_table

LONG = "https://" + "x" * 300


def test_in_a_pipe_columns_are_aligned_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "Name"), [("1", "b"), ("2222", LONG), ("", "")])
    assert capsys.readouterr().out == f"A     Name\n1     b\n2222  {LONG}\n\n"


def test_without_rows_there_are_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [])
    assert capsys.readouterr().out == "A  B\n"


def test_on_a_terminal_it_is_ruled_and_a_cell_is_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("A",), [("[red]x[/red]",)])
    said = capsys.readouterr().out
    assert "[red]x[/red]" in said and len(said.splitlines()) > 3
