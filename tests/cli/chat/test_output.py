"""A reply is shown as it comes; in a pipe it is the text, and on a terminal nothing in it steers that."""

from __future__ import annotations

import io
import sys

import pytest

from clawgate.cli.chat.output import (
    MarkdownOutput,
    PlainOutput,
    is_rich_terminal,
    split_paragraphs,
    with_line_breaks,
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *texts: str, markdown: bool, note: str = "") -> str:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    with MarkdownOutput() if markdown else PlainOutput() as output:
        for text in texts:
            output.write(text)
        if note:
            output.note(note)
    return screen.getvalue()


def test_in_a_pipe_the_text_is_as_it_came_and_ends_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("a\x1b[31m\u00fc", "a\n", ""):
        with PlainOutput() as output:
            output.write(text)
        assert capsys.readouterr().out == (f"{text}\n" if text and not text.endswith("\n") else text)


def test_half_a_character_does_not_end_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainOutput() as output:
        output.write("\ud83d")
    assert capsys.readouterr().out == "\\ud83d\n"


@pytest.mark.parametrize("markdown", [True, False])
def test_a_model_does_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch, markdown: bool) -> None:
    text = shown(monkeypatch, "one\x1b]0;title\x07", "\x9b2J\r two", markdown=markdown)
    assert "\x1b]0" not in text and "\x07" not in text and "\x9b" not in text
    assert r"\x1b]0;title" in text and "two" in text


def test_markdown_is_rendered_paragraph_by_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, "**bo", "ld**\n", "\nnext `co", "de`", markdown=True, note="-> get_weather")
    assert (
        "**" not in text.splitlines()[-1] and "bold" in text and "code" in text and "-> get_weather" in text
    )


@pytest.mark.parametrize(
    ("text", "complete", "rest"),
    [
        ("one", "", "one"),
        ("one\n\ntwo", "one", "two"),
        ("one\n \ntwo\n\n", "one\n \ntwo", ""),
        ("one\n\n```\na\n\nb", "one", "```\na\n\nb"),
        ("```\na\n\nb\n```\n\nc", "```\na\n\nb\n```", "c"),
        ("~~~\n\n", "", "~~~\n\n"),
    ],
)
def test_a_block_of_code_is_not_divided(text: str, complete: str, rest: str) -> None:
    assert split_paragraphs(text) == (complete, rest)


@pytest.mark.parametrize(
    ("stream", "term", "is_rich"),
    [(Terminal(), "xterm", True), (Terminal(), "dumb", False), (Terminal(), None, False),
     (io.StringIO(), "xterm", False)],
)  # fmt: skip
def test_only_a_terminal_that_can_is_drawn_on(
    stream: io.StringIO, term: str | None, is_rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.delenv("TERM", raising=False) if term is None else monkeypatch.setenv("TERM", term)
    assert is_rich_terminal() is is_rich


def test_a_line_stays_a_line_and_code_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one\ntwo\n\n```\na\nb\n```\n- x"
    assert with_line_breaks(text) == "one  \ntwo  \n\n```\na\nb\n```\n- x  "
    lines = shown(monkeypatch, "/model - a\n/help - b", markdown=True).splitlines()
    assert not any("/model - a /help" in line for line in lines)
