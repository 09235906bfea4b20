"""The terminal: line by line, wrapped to its width, invalid answers prompt again, and Ctrl-C aborts."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.auth.wizard.prompter import Aborted, Prompter, TerminalPrompter, on_a_terminal

CHOICES = [("fast", "quick as can be"), ("slow", ""), ("3", "a number")]


def typed(text: str, ask: str) -> tuple[object, str]:
    """What one question returns for what is typed, and all that was shown."""
    found: list[object] = []

    @click.command()
    def command() -> None:
        prompter: Prompter = TerminalPrompter()

        def right(answer: str) -> str | None:
            return "that is wrong" if answer == "wrong" else None

        try:
            ways: dict[str, Callable[[], object]] = {
                "line": lambda: prompter.ask_text("Team", "red", right),
                "secret": lambda: prompter.ask_secret("Token", right),
                "yes": lambda: prompter.confirm("Sure?", default=None),
                "offered": lambda: prompter.confirm("Sure?", default=True),
                "one_of": lambda: prompter.choose_one("Mode", CHOICES, "slow", right),
                "some_of": lambda: prompter.choose_many("Modes", CHOICES, "", right),
            }
            found.append(ways[ask]())
        except Aborted:
            found.append(Aborted)

    result = CliRunner().invoke(command, input=text)
    assert result.exit_code == 0, result.output
    return found[0], result.output


@pytest.mark.parametrize(
    ("ask", "text", "answer"),
    [
        ("line", "blue\n", "blue"),
        ("line", "\n", "red"),
        ("line", "  blue \n", "blue"),
        ("line", "wrong\nblue\n", "blue"),
        ("secret", "canary\n", "canary"),
        ("secret", "\n", ""),
        ("yes", "\nmaybe\nY\n", True),
        ("yes", "no\n", False),
        ("offered", "\n", True),
        ("one_of", "1\n", "fast"),
        ("one_of", "3\n", "3"),
        ("one_of", "9\n", "9"),
        ("one_of", "\n", "slow"),
        ("some_of", "1, other,2\n", "fast, other, slow"),
    ],
)
def test_answers(ask: str, text: str, answer: object) -> None:
    """Numbers stand for choices, but for a choice that is a number."""
    assert typed(text, ask)[0] == answer


@pytest.mark.parametrize("ask", ["line", "secret", "yes", "one_of", "some_of"])
def test_the_end_of_the_input_leaves(ask: str) -> None:
    assert typed("", ask)[0] is Aborted


def test_an_invalid_answer_is_explained_before_the_next_prompt() -> None:
    shown = typed("wrong\nblue\n", "line")[1]
    assert shown.index("! that is wrong") < shown.rindex("Team [red]")


def test_a_secret_is_not_shown() -> None:
    assert "canary" not in typed("canary\n", "secret")[1]


def test_choices_are_numbered_with_their_labels() -> None:
    shown = typed("1\n", "one_of")[1]
    assert "  1. fast: quick as can be\n  2. slow\n  3. 3: a number\n" in shown


def test_text_is_wrapped_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    TerminalPrompter().show("  one two three four five six seven eight nine ten\nshort")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["  one two three four five six seven", "  eight nine ten", "short"]


def test_a_long_list_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalPrompter()._show_choices([(f"m{number}", "") for number in range(100)])
    assert capsys.readouterr().out.splitlines()[-1] == "  and 60 more; you can type any of them"


def test_pipes_are_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert not on_a_terminal()
