"""Detects the death of the parent process by the end of a pipe that the kernel closes with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable


def watch_parent(fd: int, on_closed: Callable[[], None]) -> None:
    """Call ``on_closed`` once on the running loop when ``fd`` reaches its end; data on it is discarded.

    A thread waits, because an event loop cannot watch every kind of file that standard input may be.
    """
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(OSError):  # a descriptor that cannot be read counts as closed
            while os.read(fd, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop was closed first
            loop.call_soon_threadsafe(on_closed)

    threading.Thread(target=wait, name="clawgate-parent-watch", daemon=True).start()
