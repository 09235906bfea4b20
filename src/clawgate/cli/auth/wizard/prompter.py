"""Prompts on the terminal and reads the answers. The only module of the wizard that knows a terminal.

Works line by line without moving the cursor: on a slow line, with TERM=dumb, with a screen reader, in 40 columns.
A check that is passed in decides which answers are valid.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Protocol

import click

from clawgate.cli.terminal.read_line import read_line

Check = Callable[[str], str | None]
"""Returns why an answer is not valid, None if it is."""

NOTHING = "-"
"""Typed to give no answer, where Enter would take the default."""

_MAX_WIDTH = 100
_MAX_LISTED = 40


class Aborted(Exception):
    """The user pressed Ctrl-C, or the input ended. Nothing has been written."""


class Declined(Aborted):
    """The user answered no to a confirmation."""


class Prompter(Protocol):
    """Every method except ``show`` returns only a valid answer, or raises `Aborted`. Enter takes ``default``."""

    def show(self, text: str = "") -> None: ...

    def ask_text(self, prompt: str, default: str, check: Check) -> str: ...

    def ask_secret(self, prompt: str, check: Check) -> str:
        """The input is not echoed; "" for Enter."""

    def confirm(self, prompt: str, default: bool | None) -> bool: ...

    def choose_one(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        """``choices`` are pairs of value and label."""

    def choose_many(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        """Return values with commas between them; the user may type others than those of ``choices``."""


class TerminalPrompter:
    def show(self, text: str = "") -> None:
        width = min(max(shutil.get_terminal_size().columns, 20), _MAX_WIDTH) - 1
        for line in text.splitlines() or [""]:
            indent = line[: len(line) - len(line.lstrip())]
            click.echo(
                textwrap.fill(
                    line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
                )
            )

    def ask_text(self, prompt: str, default: str, check: Check) -> str:
        return self._until_valid(lambda: self._read(_with_default(prompt, default), default), check)

    def ask_secret(self, prompt: str, check: Check) -> str:
        return self._until_valid(lambda: self._read(prompt, "", hidden=True), check)

    def confirm(self, prompt: str, default: bool | None) -> bool:
        word = {True: "Y/n", False: "y/N", None: "y/n"}[default]
        known = {"y": True, "yes": True, "n": False, "no": False}
        if default is not None:
            known[""] = default
        answer = self._until_valid(
            lambda: self._read(f"{prompt} [{word}]", "").lower(),
            lambda text: None if text in known else "answer yes or no",
        )
        return known[answer]

    def choose_one(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        self._show_choices(choices)
        return self._until_valid(
            lambda: _by_number(self._read(_with_default(prompt, default), default), choices), check
        )

    def choose_many(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        self._show_choices(choices)
        text = _with_default(prompt, default)
        return self._until_valid(
            lambda: ", ".join(
                _by_number(word.strip(), choices) for word in self._read(text, default).split(",")
            ),
            check,
        )

    def _show_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        for number, (value, label) in enumerate(choices[:_MAX_LISTED], 1):
            description = f": {label}" if label and label != value else ""
            self.show(f"  {number}. {value}{description}")
        if len(choices) > _MAX_LISTED:
            self.show(f"  and {len(choices) - _MAX_LISTED} more; you can type any of them")

    def _until_valid(self, read: Callable[[], str], check: Check) -> str:
        while True:
            text = read()
            problem = check(text)
            if problem is None:
                return text
            self.show(f"  ! {problem}")

    @staticmethod
    def _read(prompt: str, default: str, *, hidden: bool = False) -> str:
        try:
            text = read_line(f"{prompt}: ", hidden=hidden)
            return text if hidden else text.strip() or default  # blanks may be a part of a password
        except (EOFError, KeyboardInterrupt):
            click.echo("")
            raise Aborted from None
        except UnicodeDecodeError:
            return "\ufffd"


def on_a_terminal() -> bool:
    """Return whether standard input and output are terminals, so that a prompt can be answered."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _with_default(prompt: str, default: str) -> str:
    return f"{prompt} [{default}]" if default else prompt


def _by_number(text: str, choices: Sequence[tuple[str, str]]) -> str:
    """Return the value with the typed number; a value that looks like a number precedes."""
    if any(text == value for value, _ in choices):
        return text
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= len(choices):
        return choices[int(text[:6]) - 1][0]
    return text
