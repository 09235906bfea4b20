"""Shows a reply while it comes: as plain text, or on a terminal as Markdown.

What a model wrote must not steer the terminal.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import click

from clawgate.policy.printable import escape_steering

_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Output(Protocol):
    """Shows one reply within its context."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def write(self, text: str) -> None: ...
    def note(self, text: str) -> None:
        """Show a line that is no part of the reply."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to another within the context."""


def is_rich_terminal() -> bool:
    """Return whether standard output can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class PlainOutput:
    """The text as it is, in a pipe; without what would steer a terminal, on one."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._is_terminal = sys.stdout.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def write(self, text: str) -> None:
        shown = (
            escape_steering(text) if self._is_terminal else text.encode("utf-8", "backslashreplace").decode()
        )
        if shown:
            sys.stdout.write(shown)  # click.echo leaves colours out, in a pipe
            sys.stdout.flush()
            self._at_line_start = shown.endswith("\n")

    def note(self, text: str) -> None:
        self.end()
        click.echo(escape_steering(text), err=True)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self.end()
        yield

    def end(self) -> None:
        """End the last line."""
        if not self._at_line_start:
            click.echo("")
            self._at_line_start = True


class MarkdownOutput:
    """Draws the paragraph that comes again and again; those before it are printed once and stay."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._open = ""
        self._live = Live(console=Console(), refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def write(self, text: str) -> None:
        from rich.markdown import Markdown

        complete, self._open = split_paragraphs(self._open + escape_steering(text))
        if complete:
            self._live.console.print(Markdown(with_line_breaks(complete)), "")
        self._live.update(Markdown(with_line_breaks(self._open)))

    def note(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(escape_steering(text), style="dim"))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._live.stop()
        self._open = ""  # it stays where it was drawn
        yield
        self._live.update("")
        self._live.start()


def split_paragraphs(text: str) -> tuple[str, str]:
    """Return the paragraphs that are complete, and the rest: a block of code is not divided."""
    for blank in reversed(list(_BLANK_LINE.finditer(text))):
        if len(_FENCE.findall(text, 0, blank.start())) % 2 == 0:
            return text[: blank.start()], text[blank.end() :]
    return "", text


def with_line_breaks(text: str) -> str:
    """Return Markdown that shows each line on a line of its own, as chats do; code stays as it is."""
    lines, is_code = [], False
    for line in text.split("\n"):
        is_fence = _FENCE.match(line) is not None
        is_code = is_code != is_fence
        lines.append(line if is_code or is_fence or not line.strip() else f"{line}  ")
    return "\n".join(lines)
