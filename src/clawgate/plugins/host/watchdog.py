"""Interrupts plugin code that blocks the event loop.

A plugin shares the loop with every request: one ``time.sleep`` would stop them all. Each step of an awaitable has a few
seconds, after which an alarm raises an error in it (signal(7), SIGALRM; main thread only).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Awaitable, Generator, Iterator
from types import FrameType
from typing import Any, Generic, TypeVar

STEP_SECONDS = 5.0
_REPEAT_SECONDS = 1.0

_T = TypeVar("_T")


class EventLoopBlocked(Exception):
    """A plugin kept the event loop for too long."""


@contextlib.contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """Raise `EventLoopBlocked` in the body after ``seconds``, and again each second if the body swallows it."""
    free = signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
    if not free or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise EventLoopBlocked(
            f"it blocked the event loop for more than {seconds:g} s; use await or asyncio.to_thread"
        )

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class WatchedAwaitable(Generic[_T]):
    """Wraps an awaitable and interrupts a step of it that blocks for too long."""

    def __init__(self, awaitable: Awaitable[_T], *, seconds: float = STEP_SECONDS) -> None:
        self._awaitable = awaitable
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, _T]:
        steps = self._awaitable.__await__()
        error: BaseException | None = None
        while True:
            with alarm_after(self._seconds):
                try:
                    yielded = next(steps) if error is None else steps.throw(error)
                except StopIteration as done:
                    return done.value  # type: ignore[no-any-return]
            error = None
            try:
                yield yielded
            except BaseException as thrown:  # noqa: BLE001  # a cancellation is the plugin's to see
                error = thrown
