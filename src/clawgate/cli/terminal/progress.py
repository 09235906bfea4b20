"""What does somebody see who waits? On a terminal one line that counts the seconds; elsewhere nothing."""

from __future__ import annotations

import sys
from types import TracebackType

import click

_SAY_AFTER_SECONDS = 0.5


class Progress:
    """To be called with the seconds that have passed; the line is gone when the context ends."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._shown = -1
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __call__(self, seconds: float) -> None:
        if self._is_terminal and seconds >= _SAY_AFTER_SECONDS and int(seconds) != self._shown:
            self._shown = int(seconds)
            click.echo(f"\r{self._doing} ... {self._shown} s", nl=False, err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown >= 0:
            click.echo("\r\x1b[K", nl=False, err=True)
