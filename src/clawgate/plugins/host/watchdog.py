"""What if a plugin's code does not give the event loop back? It is interrupted, where that can be done.

A plugin shares the loop with every request, and ``time.sleep`` in the wrong place would stop them all. Each step of
what is awaited has a few seconds, after which an alarm raises an error in it (signal(7), SIGALRM; main thread only).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Awaitable, Generator, Iterator
from types import FrameType
from typing import Any, Generic, TypeVar

STEP_SECONDS = 5.0
_AGAIN_SECONDS = 1.0

_T = TypeVar("_T")


class EventLoopBlocked(Exception):
    """A plugin kept the event loop for too long."""


@contextlib.contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """Raise `EventLoopBlocked` in the enclosed code once ``seconds`` have passed, and again if that is swallowed."""
    free = signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
    if not free or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise EventLoopBlocked(
            f"it kept the event loop for more than {seconds:g} s; nothing in a plugin may block"
        )

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class WatchedAwaitable(Generic[_T]):
    """Awaits something, and interrupts a step of it that takes too long."""

    def __init__(self, waited: Awaitable[_T], *, seconds: float = STEP_SECONDS) -> None:
        self._waited = waited
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, _T]:
        steps = self._waited.__await__()
        error: BaseException | None = None
        while True:
            with alarm_after(self._seconds):
                try:
                    found = next(steps) if error is None else steps.throw(error)
                except StopIteration as done:
                    return done.value  # type: ignore[no-any-return]
            error = None
            try:
                yield found
            except BaseException as thrown:  # noqa: BLE001  # a cancellation is the plugin's to see
                error = thrown
