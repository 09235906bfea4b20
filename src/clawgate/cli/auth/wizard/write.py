"""Writes the change that was shown to the config file: exactly as it was shown, or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from clawgate.settings.openclaw.update import NOT_WRITTEN, WriteResult, update


class NothingWritten(Exception):
    """The file is unchanged; the text is the reason and what to do."""


def write_shown(path: Path, before: str, after: str, *, may_shrink: bool = False) -> WriteResult:
    """Replace ``before`` by ``after`` if the file still has ``before``. Raises `NothingWritten`.

    Ctrl-C takes effect after the write, which takes milliseconds: the user must not have to guess which version is on
    disk.
    """

    def edit(text: str) -> str:
        if text != before:
            raise NothingWritten(
                f"{path} was changed by another process in the meantime. Nothing was written: run the command again"
            )
        return after

    try:
        with _uninterrupted():
            return update(path, os.environ, edit, may_shrink=may_shrink)
    except NOT_WRITTEN as error:
        raise NothingWritten(str(error)) from error


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore SIGINT; only the main thread may set that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
