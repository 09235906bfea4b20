"""Reads a line from the keyboard; a signal interrupts the wait, and a secret is not echoed.

``input`` and ``getpass`` check for signals and then wait for the terminal: a Ctrl-C between the two takes effect only
after the next key. Here the wait itself ends with a signal.
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
    """Print ``prompt`` (``err``: on standard error) and return a line of standard input without its line end.

    Raises EOFError, KeyboardInterrupt, or UnicodeDecodeError.

    ``hidden``: a terminal does not echo the input. Echo is off before the prompt appears: no key is shown.
    """
    stream = sys.stdin
    if not stream.isatty():
        _print(prompt, err=err)
        line = stream.readline()
    else:
        with _echo_off(stream, err=err) if hidden else contextlib.nullcontext():
            _print(prompt, err=err)
            _wait_for_line(stream)
            line = stream.readline()
    if not line:
        raise EOFError
    return line.removesuffix("\n")


def _print(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()


def _wait_for_line(stream: TextIO) -> None:
    """Wait until a line can be read. A signal writes a byte to a socket pair, so it ends the wait whenever it comes."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set a wakeup descriptor
    fd = stream.fileno()
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            while fd not in select.select([fd, reader.fileno()], [], [])[0]:
                reader.recv(64)
        finally:
            signal.set_wakeup_fd(previous)


@contextlib.contextmanager
def _echo_off(stream: TextIO, *, err: bool) -> Iterator[None]:
    """Turn echo off; the line end, which the terminal did not echo either, is printed at the end."""
    fd = stream.fileno()
    previous = termios.tcgetattr(fd)
    silent = termios.tcgetattr(fd)
    silent[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, silent)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, previous)
        _print("\n", err=err)
