"""Logs the output of a child, so many lines a second that it cannot push all else out of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

LINES_PER_SECOND = 50


class OutputLog:
    """Takes one line of the child ``name`` at a time; ``clock`` is monotonic, in seconds."""

    def __init__(self, name: str, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._name = name
        self._log = log
        self._clock = clock
        self._since, self._count = clock(), 0

    def __call__(self, line: str) -> None:
        now = self._clock()
        if now - self._since >= 1.0:
            if (dropped := self._count - LINES_PER_SECOND) > 0:
                self._log.info("%s: %d lines of output were not logged", self._name, dropped)
            self._since, self._count = now, 0
        self._count += 1
        if line and self._count <= LINES_PER_SECOND:
            self._log.info("%s: | %s", self._name, line)
