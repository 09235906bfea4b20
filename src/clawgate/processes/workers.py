"""How do several processes serve one port? They are forked from one that listens, and live no longer than it.

A worker that dies is replaced, after a moment that grows while workers keep dying young. The first signal is
passed on, the second as well; a worker whose parent is killed sees the end of a pipe and stops by itself.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger("clawgate.workers")

_YOUNG_SECONDS = 5.0
_LONGEST_PAUSE = 30.0


def run_workers(count: int, work: Callable[[int, int], int]) -> int:
    """Run ``work(index, lifeline)`` in ``count`` processes; ``lifeline`` is a pipe that ends with this process.

    A worker that replaces another has its index. Returns the exit status: 0 after a signal, else that of the
    workers if none could live.
    """
    lifeline, _held = os.pipe()
    stopping: list[int] = []
    born: dict[int, tuple[int, float]] = {}  # by pid: its index, and when it was started

    def pass_on(sig: int, frame: FrameType | None) -> None:
        stopping.append(sig)
        for pid in born:
            os.kill(pid, sig)

    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, pass_on)

    def start(index: int) -> None:
        pid = os.fork()
        if pid == 0:
            os.close(_held)
            status = 1
            try:
                status = work(index, lifeline)
            finally:
                os._exit(status)
        born[pid] = index, time.monotonic()

    for number in range(count):
        start(number)
    pause = 0.1
    while born:
        pid, status = os.wait()
        index, since = born.pop(pid)
        lived = time.monotonic() - since
        if stopping:
            continue
        if status == 0:  # it was asked to stop in another way than through us: so are the others
            pass_on(signal.SIGTERM, None)
            continue
        logger.warning(
            "worker %d ended with status %d; starting another", pid, os.waitstatus_to_exitcode(status)
        )
        if lived < _YOUNG_SECONDS:
            if not born and pause > 1.0:
                return os.waitstatus_to_exitcode(status) or 1
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            pause = 0.1
        if not stopping:
            start(index)
    os.close(_held)
    os.close(lifeline)
    return 0
