"""How does what was shown get into the config file? As it was shown, or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clawgate.settings.openclaw.update import WriteResult


class NothingWritten(Exception):
    """The file is as it was; the text says why, and what to do."""


def write_shown(
    path: Path,
    before: str,
    after: str,
    environment: Mapping[str, str] | None = None,
    *,
    may_shrink: bool = False,
) -> WriteResult:
    """Replace ``before`` by ``after``, unless the file says something else by now. Raises `NothingWritten`.

    Ctrl-C waits until it is done: it is a matter of milliseconds, and nobody has to wonder which version stands.
    """
    from clawgate.settings.atomic_write import WriteFailed
    from clawgate.settings.json5.edit import EditVerificationFailed
    from clawgate.settings.openclaw.update import update
    from clawgate.settings.problems import SettingsInvalid

    def change(text: str) -> str:
        if text != before:
            raise NothingWritten(
                f"{path} was changed by somebody else since it was read. Nothing was written: run the command again"
            )
        return after

    try:
        with _uninterrupted():
            return update(
                path, os.environ if environment is None else environment, change, may_shrink=may_shrink
            )
    except SettingsInvalid as error:
        raise NothingWritten("; ".join(map(str, error.problems))) from error
    except (WriteFailed, EditVerificationFailed) as error:
        raise NothingWritten(str(error)) from error


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Without SIGINT, where this thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
