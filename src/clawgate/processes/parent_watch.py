"""Is whoever started us still there? A pipe tells: its other end closes even when that process is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable


def watch_parent(fd: int, when_closed: Callable[[], None]) -> None:
    """Call ``when_closed`` once on the running loop when ``fd`` is at its end; what arrives on it is thrown away.

    A thread waits for it: an event loop cannot watch every kind of file that standard input may be.
    """
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(OSError):  # a descriptor that cannot be read has no other end
            while os.read(fd, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop was closed first: nothing is left to be stopped
            loop.call_soon_threadsafe(when_closed)

    threading.Thread(target=wait, name="clawgate-parent-watch", daemon=True).start()
