"""Reads the lines of a chat: on a terminal with editing and a history that is kept in the state folder, mode 0600."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from clawgate.settings.private_folder import make_private_folder

_KEPT = 1000
"""Lines of the history."""


class LineInput:
    """``read`` returns the next line. Raises EOFError at the end, KeyboardInterrupt for Ctrl-C."""

    def __init__(self, history: Path) -> None:
        self._history = history
        self.is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def read(self, prompt: str) -> str:
        if self.is_terminal:
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    @contextlib.contextmanager
    def with_history(self) -> Iterator[None]:
        """Read the history before, write it afterwards; a file that cannot be used is done without."""
        if not self.is_terminal:
            yield
            return
        import readline

        with contextlib.suppress(OSError):
            make_private_folder(self._history.parent)
            os.close(os.open(self._history, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            self._history.chmod(0o600)
            readline.read_history_file(self._history)
        readline.set_history_length(_KEPT)
        try:
            yield
        finally:
            mask = os.umask(0o077)
            try:
                with contextlib.suppress(OSError):
                    readline.write_history_file(self._history)
            finally:
                os.umask(mask)
