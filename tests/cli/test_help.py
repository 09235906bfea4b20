"""Help fits a terminal of 80 columns: no line is wider, no text is cut, and every option is described alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from tests.cli.catalogs import alone

COLUMNS = 80


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


PROVIDERS = ("openai", "custom", "proxy-bridge", "anthropic-claude-proxy")
LOGINS = [("models", "auth", "login", "--provider", name) for name in PROVIDERS]
PLUGINS = [("proxy-bridge",), ("anthropic-claude-proxy",)]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


def help_of(arguments: tuple[str, ...]) -> str:
    result = CliRunner().invoke(clawgate, [*arguments, "--help"], env={"COLUMNS": str(COLUMNS)})
    assert result.exit_code == 0 and result.stderr == ""
    return result.stdout


@pytest.mark.parametrize("arguments", [*commands(clawgate), *LOGINS, *PLUGINS], ids=" ".join)
def test_help_fits_the_terminal(arguments: tuple[str, ...]) -> None:
    """click cuts the short help of a command that is too long, and ends it with "..."."""
    for line in help_of(arguments).splitlines():
        assert len(line) <= COLUMNS, line
        assert not line.endswith("...") or line.startswith("Usage: "), line


@pytest.mark.parametrize("arguments", [*commands(clawgate), *PLUGINS], ids=" ".join)
def test_the_help_command_shows_the_same(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(
        clawgate, ["help", *arguments], env={"COLUMNS": str(COLUMNS)}, prog_name="clawgate"
    )
    expected = CliRunner().invoke(
        clawgate, [*arguments, "--help"], env={"COLUMNS": str(COLUMNS)}, prog_name="clawgate"
    )
    assert (result.exit_code, result.stdout, result.stderr) == (0, expected.stdout, "")


@pytest.mark.parametrize("arguments", [*commands(clawgate), *LOGINS], ids=" ".join)
def test_an_option_is_described_by_a_sentence_and_click_s_own_notes(arguments: tuple[str, ...]) -> None:
    options = help_of(arguments).partition("\nOptions:\n")[2].partition("\n\n")[0]
    for line in re.sub(r"\n {5,}", " ", options).splitlines():
        assert re.search(r"[.?]( +\[(env var: |default: |required|\d|x)[^\]]*\])*$", line), line
