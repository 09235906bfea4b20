"""Progress line with the elapsed seconds on standard error; silent where that is not a terminal."""

from __future__ import annotations

import sys
from types import TracebackType

import click

_SHOW_AFTER_SECONDS = 0.5


class Progress:
    """Call it with the elapsed seconds; the line is erased when the context ends."""

    def __init__(self, activity: str) -> None:
        self._activity = activity
        self._shown_seconds = -1
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __call__(self, seconds: float) -> None:
        if self._is_terminal and seconds >= _SHOW_AFTER_SECONDS and int(seconds) != self._shown_seconds:
            self._shown_seconds = int(seconds)
            click.echo(f"\r{self._activity} ... {self._shown_seconds} s", nl=False, err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown_seconds >= 0:
            click.echo("\r\x1b[K", nl=False, err=True)
