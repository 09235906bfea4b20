"""How does a question reach a person, and the answer come back? The only place of the wizard that knows a terminal.

One line at a time, without moving the cursor: it works over a slow line, with TERM=dumb, for a screen reader, at 40
columns. What may be answered is told by a check that is passed in.
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
"""What is wrong with an answer, None if nothing is."""

NOTHING = "-"
"""Typed instead of an answer: none, where Enter would take what is offered."""

_WIDEST = 100
_MOST_LISTED = 40


class Aborted(Exception):
    """The person left: Ctrl-C, or the end of the input. Nothing has been written."""


class Declined(Aborted):
    """The person was asked whether to go on, and said no."""


class Prompter(Protocol):
    """Every method but ``say`` returns only what its ``check`` takes, and raises `Aborted`."""

    def say(self, text: str = "") -> None: ...

    def line(self, prompt: str, offered: str, check: Check) -> str:
        """Enter takes ``offered``."""
        ...

    def secret(self, prompt: str, check: Check) -> str:
        """Not shown while it is typed; "" for Enter."""
        ...

    def yes(self, prompt: str, offered: bool | None) -> bool: ...

    def one_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        """``choices``: value and label."""
        ...

    def some_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        """A comma list of values; others than those of ``choices`` may be typed."""
        ...


class TerminalPrompter:
    """Asks on standard output and reads from standard input."""

    def say(self, text: str = "") -> None:
        width = min(max(shutil.get_terminal_size().columns, 20), _WIDEST) - 1
        for line in text.splitlines() or [""]:
            indent = line[: len(line) - len(line.lstrip())]
            click.echo(
                textwrap.fill(
                    line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
                )
            )

    def line(self, prompt: str, offered: str, check: Check) -> str:
        return self._until_right(
            lambda: self._read(f"{prompt} [{offered}]" if offered else prompt, offered), check
        )

    def secret(self, prompt: str, check: Check) -> str:
        return self._until_right(lambda: self._read(prompt, "", hidden=True), check)

    def yes(self, prompt: str, offered: bool | None) -> bool:
        word = {True: "Y/n", False: "y/N", None: "y/n"}[offered]
        known = {"y": True, "yes": True, "n": False, "no": False}
        if offered is not None:
            known[""] = offered
        found = self._until_right(
            lambda: self._read(f"{prompt} [{word}]", "").lower(),
            lambda text: None if text in known else "answer yes or no",
        )
        return known[found]

    def one_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        self._list(choices)
        return self._until_right(
            lambda: _by_number(self._read(f"{prompt} [{offered}]" if offered else prompt, offered), choices),
            check,
        )

    def some_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        self._list(choices)
        shown = f"{prompt} [{offered}]" if offered else prompt
        return self._until_right(
            lambda: ", ".join(
                _by_number(word.strip(), choices) for word in self._read(shown, offered).split(",")
            ),
            check,
        )

    def _list(self, choices: Sequence[tuple[str, str]]) -> None:
        for number, (value, label) in enumerate(choices[:_MOST_LISTED], 1):
            more = f": {label}" if label and label != value else ""
            self.say(f"  {number}. {value}{more}")
        if len(choices) > _MOST_LISTED:
            self.say(f"  and {len(choices) - _MOST_LISTED} more; any of them can be typed")

    def _until_right(self, read: Callable[[], str], check: Check) -> str:
        while True:
            text = read()
            problem = check(text)
            if problem is None:
                return text
            self.say(f"  ! {problem}")

    @staticmethod
    def _read(prompt: str, offered: str, *, hidden: bool = False) -> str:
        try:
            return read_line(f"{prompt}: ", hidden=hidden).strip() or offered
        except (EOFError, KeyboardInterrupt):
            click.echo("")
            raise Aborted from None
        except UnicodeDecodeError:
            return "\ufffd"


def on_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _by_number(text: str, choices: Sequence[tuple[str, str]]) -> str:
    """The value whose number was typed; a value that looks like a number goes before."""
    if any(text == value for value, _ in choices):
        return text
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= len(choices):
        return choices[int(text[:6]) - 1][0]
    return text
