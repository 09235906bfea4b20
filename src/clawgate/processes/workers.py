"""How do several processes serve one port? They are forked from one that listens, and live no longer than it.

A worker that dies is replaced, after a moment that grows while workers keep dying young. The first signal is
passed on, the second as well; a worker whose parent is killed sees the end of a pipe and stops by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

logger = logging.getLogger("clawgate.workers")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_YOUNG_SECONDS = 5.0
_LONGEST_PAUSE = 30.0


def run_workers(count: int, work: Callable[[int, int], int], *, at_stop: Callable[[], None]) -> int:
    """Run ``work(index, lifeline)`` in ``count`` processes; ``lifeline`` is a pipe that ends with this process.

    ``at_stop`` is called before the first signal is passed on: what only the parent still holds, as the listening
    sockets, has to be let go of. A worker that replaces another has its index. Returns the exit status: 0 after a
    signal, else that of the workers if none could live.
    """
    lifeline, _held = os.pipe()
    stopping: list[int] = []
    born: dict[int, tuple[int, float]] = {}  # by pid: its index, and when it was started

    def pass_on(sig: int, frame: FrameType | None) -> None:
        if not stopping:
            at_stop()
        stopping.append(sig)
        for pid in born:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and that is not yet noted
                os.kill(pid, sig)

    for sig in _SIGNALS:
        signal.signal(sig, pass_on)

    def start(index: int) -> None:
        # No signal may fall between the fork and the note of it, nor reach a child that still has our handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(_held)
            for sig in _SIGNALS:
                signal.signal(sig, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            _work_and_exit(work, index, lifeline)
        born[pid] = index, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def pause_for(seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stopping and time.monotonic() < until:
            time.sleep(0.05)

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
            pause_for(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            pause = 0.1
        if not stopping:
            start(index)
    os.close(_held)
    os.close(lifeline)
    return 0


def _work_and_exit(work: Callable[[int, int], int], index: int, lifeline: int) -> NoReturn:
    """In the child: the work, then the end of the process, without the parent's clean-up."""
    status = 1
    try:
        status = work(index, lifeline)
    except Exception:  # the outermost frame of a process: the parent sees a number only
        logger.exception("worker %d failed", index)
    finally:
        os._exit(status)
