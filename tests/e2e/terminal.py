"""A person at a real terminal: what a program shows on it, and what is typed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SECONDS = 120.0
_TAKE_TERMINAL = """import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])"""
READY = "ready> "
"""The prompt of `shell`."""


class Terminal:
    """A program on a pseudo-terminal; ``shown`` is all of its output."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int
    ) -> None:
        self.shown = ""
        self._read_to = 0
        self._fd, programs_end = pty.openpty()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(  # not pty.fork: a fork beside threads may never return
            [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *words],
            cwd=folder,
            env=environment,
            stdin=programs_end,
            stdout=programs_end,
            stderr=programs_end,
            start_new_session=True,
        )
        os.close(programs_end)

    def until(self, text: str) -> str:
        """Wait for this to be shown, after what was waited for before; return what came before it."""
        start = self._read_to
        deadline = time.monotonic() + SECONDS
        while text not in self.shown[start:]:
            assert self._more(deadline), f"it ended before {text!r}:\n{self.shown}"
        found = self.shown.index(text, start)
        self._read_to = found + len(text)
        return self.shown[start:found]

    def ends_with(self, text: str) -> None:
        """Wait until this is the last that is shown."""
        deadline = time.monotonic() + SECONDS
        while not self.shown.endswith(text):
            assert self._more(deadline), f"it ended before {text!r}:\n{self.shown}"
        self._read_to = len(self.shown)

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C at a prompt until this is shown.

        Python's `input` keeps an interrupt that comes between the prompt and the wait for a key until the next one.
        """
        start = self._read_to
        for _ in range(10):
            self.type("\x03")
            while text not in self.shown[start:] and self._is_readable(SECONDS / 10):
                assert self._more(time.monotonic() + SECONDS), f"it ended before {text!r}:\n{self.shown}"
            if text in self.shown[start:]:
                break
        self.until(text)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def answer(self, prompt: str, text: str) -> None:
        self.until(prompt)
        self.type(text)

    def end(self) -> int:
        """The exit status."""
        deadline = time.monotonic() + SECONDS
        while self._more(deadline):
            pass
        return self._process.wait(SECONDS)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._fd)

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self._fd], [], [], max(seconds, 0))[0])

    def _more(self, deadline: float) -> bool:
        assert self._is_readable(deadline - time.monotonic()), f"nothing more was shown:\n{self.shown}"
        try:
            found = os.read(self._fd, 65_536)
        except OSError:  # how Linux reports that no program has the other end any more
            return False
        self.shown += found.decode(errors="replace").replace(
            "\r", ""
        )  # of a line end, which may come in two parts
        return bool(found)


@contextlib.contextmanager
def terminal(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 40
) -> Iterator[Terminal]:
    found = Terminal(words, folder, environment, columns)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A person's shell; a command is typed with `run`, or with `Terminal.type` where it has prompts."""
    words = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
    with terminal(words, folder, {**environment, "PS1": READY}, columns=200) as found:
        found.until(READY)
        found.type("stty -echo; unset HISTFILE\n")
        found.until(READY)
        yield found


def run(person: Terminal, command: str) -> str:
    """Type a command, wait for its end, return what it showed."""
    person.type(f"{command}\n")
    return person.until(READY)
