"""Serves one port with several processes, forked from one that holds the listener.

A worker that dies is replaced, after a delay that doubles while workers keep dying young. Every signal is passed on to
the workers; a worker whose parent is killed sees the end of a pipe and stops by itself.
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
_MIN_DELAY = 0.1
_MAX_DELAY = 30.0
_GIVE_UP_DELAY = 1.0
"""If no worker lives and the delay has grown beyond this, the failure is left to the supervisor of this process."""
_POLL_SECONDS = 0.05


def run_workers(count: int, work: Callable[[int, int], int], *, on_stop: Callable[[], None]) -> int:
    """Run ``work(index, parent_fd)`` in ``count`` processes; ``parent_fd`` is a pipe that ends with this process.

    ``on_stop`` is called before the first signal is passed on: it must close what only the parent holds, as the
    listening sockets. A replacement gets the index of its predecessor. Returns the exit status: 0 after a signal, else
    that of a worker if none could live.
    """
    return _Workers(count, work, on_stop).run()


class _Workers:
    """``_running`` has the index and the start time of each worker, by pid."""

    def __init__(self, count: int, work: Callable[[int, int], int], on_stop: Callable[[], None]) -> None:
        self._count = count
        self._work = work
        self._on_stop = on_stop
        self._parent_fd, self._held_end = os.pipe()
        self._stopping = False
        self._running: dict[int, tuple[int, float]] = {}
        self._delay = _MIN_DELAY

    def run(self) -> int:
        for sig in _SIGNALS:
            signal.signal(sig, self._pass_on)
        for index in range(self._count):
            self._start(index)
        while self._running:
            pid, status = os.wait()
            index, started_at = self._running.pop(pid)
            if self._stopping:
                continue
            if status == 0:  # it was stopped by another signal than ours: the others stop too
                self._pass_on(signal.SIGTERM, None)
                continue
            exit_status = os.waitstatus_to_exitcode(status)
            logger.warning("worker %d ended with status %d; starting another", pid, exit_status)
            if not self._running and self._delay > _GIVE_UP_DELAY and self._is_young(started_at):
                return exit_status or 1
            self._back_off(started_at)
            self._start(index)
        os.close(self._held_end)
        os.close(self._parent_fd)
        return 0

    def _pass_on(self, sig: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._on_stop()
        self._stopping = True
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):  # it has exited and was not waited for yet
                os.kill(pid, sig)

    def _start(self, index: int) -> None:
        # No signal may arrive between the fork and its record, nor in a child that still has our handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if self._stopping:  # a worker that starts now would miss the signal
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return
        pid = os.fork()
        if pid == 0:
            os.close(self._held_end)
            for sig in _SIGNALS:
                signal.signal(sig, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._work_and_exit(index)
        self._running[pid] = index, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _is_young(self, started_at: float) -> bool:
        return time.monotonic() - started_at < _YOUNG_SECONDS

    def _back_off(self, started_at: float) -> None:
        """Wait if the worker died young, or until a signal arrives."""
        if not self._is_young(started_at):
            self._delay = _MIN_DELAY
            return
        deadline = time.monotonic() + self._delay
        while not self._stopping and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._delay = min(self._delay * 2, _MAX_DELAY)

    def _work_and_exit(self, index: int) -> NoReturn:
        """In the child: run the work and exit without the parent's clean-up."""
        status = 1
        try:
            status = self._work(index, self._parent_fd)
        except Exception:  # the outermost frame of a process: the parent sees a status only
            logger.exception("worker %d failed", index)
        finally:
            os._exit(status)
