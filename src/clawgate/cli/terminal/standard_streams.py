"""Keeps a closed, full or abandoned standard output from ending a command with a traceback.

A command whose output cannot be written ends with status 1: quietly if its reader is gone (``| head -1``), with the
reason otherwise (``> /dev/full``). An error that cannot be shown changes no exit status. Must be cheap to import.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class OutputFailed(SystemExit):
    """Standard output cannot be written; the command ends with status 1."""


class _Output(io.FileIO):
    """A standard stream. ``on_error`` returns to discard what could not be written, or raises."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            # None: it is non-blocking, as a terminal may be that another program uses, too.
            while (written := cast("int | None", super().write(data))) is None:
                select.select([], [self.fileno()], [])
        except OSError as error:
            self.on_error(error)
            return memoryview(data).nbytes
        return written

    def on_error(self, error: OSError) -> None:
        _discard(self.fileno())


class _StandardOutput(_Output):
    ends_the_command = True

    def on_error(self, error: OSError) -> None:
        if not self.ends_the_command:
            raise error
        _discard(self.fileno())  # what is buffered has to go somewhere at the end of the process
        if error.errno != errno.EPIPE:
            sys.stderr.write(f"clawgate: standard output cannot be written: {error.strerror}\n")
        raise OutputFailed(1)


def guard_standard_streams() -> None:
    """Open /dev/null for streams that are closed, and handle failing writes. Call this once, before any output."""
    for fd in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor is this one
            os.set_inheritable(fd, True)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor
    sys.stdout = _wrap(sys.stdout, _StandardOutput(_STDOUT, "wb", closefd=False))
    sys.stderr = _wrap(sys.stderr, _Output(_STDERR, "wb", closefd=False))


def keep_serving() -> None:
    """Let a failed write to standard output raise OSError from now on: it must not end a process that serves."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _StandardOutput):
        raw.ends_the_command = False


def flush_and_exit(status: str | int | None) -> NoReturn:
    """Exit with ``status``, or 1 if the rest of the output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard(_STDOUT)
    sys.exit(status)


def _wrap(stream: TextIO | None, raw: _Output) -> TextIO:
    """Return a stream like ``stream``, which is None if it was closed, on ``raw``."""
    buffer = io.BufferedWriter(raw)
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _discard(fd: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
