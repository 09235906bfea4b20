"""How does a line get from the keyboard to the program, so that Ctrl-C is never lost and a secret never shown?

``input`` and ``getpass`` look for signals and then wait for the terminal; a Ctrl-C between the two is only seen after
the next key. Here the wait itself ends with a signal.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from typing import TextIO


def read_line(prompt: str, *, hidden: bool = False, err: bool = False) -> str:
    """Show ``prompt`` (``err``: on standard error); return a line of standard input without its end.

    Raises EOFError, KeyboardInterrupt, or UnicodeDecodeError.

    ``hidden``: what is typed is not shown, where standard input is a terminal; not even what is typed the moment that
    the prompt is there.
    """
    stream = sys.stdin
    if not stream.isatty():
        _show(prompt, err=err)
        line = stream.readline()
    else:
        with _unseen(stream, err=err) if hidden else contextlib.nullcontext():
            _show(prompt, err=err)
            _wait(stream)
            line = stream.readline()
    if not line:
        raise EOFError
    return line.removesuffix("\n")


def _show(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()


def _wait(stream: TextIO) -> None:
    """Until a line is there. A signal writes a byte to the other socket, so it ends the wait whenever it comes."""
    if threading.current_thread() is not threading.main_thread():
        return  # signals are none of its business
    fd = stream.fileno()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            while fd not in select.select([fd, ours.fileno()], [], [])[0]:
                ours.recv(64)
        finally:
            signal.set_wakeup_fd(before)


@contextlib.contextmanager
def _unseen(stream: TextIO, *, err: bool) -> Iterator[None]:
    """No echo; the line's end is shown after it all the same."""
    fd = stream.fileno()
    before = termios.tcgetattr(fd)
    silent = termios.tcgetattr(fd)
    silent[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, silent)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        _show("\n", err=err)
