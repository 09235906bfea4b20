"""Run by test_workers.py in a process of its own: workers that behave as the first argument says."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import SupportsIndex

from clawgate.processes import workers

_wait = os.wait
_pthread_sigmask = signal.pthread_sigmask


def say(text: str) -> None:
    """One line in one write: several processes share this output."""
    os.write(1, f"{text}\n".encode())


def serve(listener: socket.socket, index: int, parent_fd: int) -> int:
    for sig in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(sig, lambda sig, frame: os._exit(0))
    say(f"worker {os.getpid()} {index}")
    while True:
        ready, _, _ = select.select([listener.fileno(), parent_fd], [], [])
        if parent_fd in ready:
            return 0
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue  # the other worker was quicker
        connection.sendall(str(os.getpid()).encode())
        connection.close()


def stubborn(index: int, parent_fd: int) -> int:
    """Ends with the second signal."""
    signals = 0

    def count(sig: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        say(f"signal {signals}")
        if signals == 2:
            os._exit(0)

    signal.signal(signal.SIGTERM, count)
    say(f"worker {os.getpid()} {index}")
    while True:
        signal.pause()


def look_at_signals(index: int, parent_fd: int) -> int:
    say(f"handler {signal.getsignal(signal.SIGTERM) is signal.SIG_DFL}")
    return 3


def fail(index: int, parent_fd: int) -> int:
    raise ValueError("raised by the worker")


class Clock:
    """In the place of the clock: time passes only in `sleep`."""

    now = 0.0

    def __init__(self, *, interrupted: bool) -> None:
        self.interrupted = interrupted

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float | SupportsIndex) -> None:
        self.now += float(seconds)
        if self.interrupted:
            os.kill(os.getpid(), signal.SIGTERM)


def wait() -> tuple[int, int]:
    """In the place of `os.wait`: says that the supervisor has noted all its workers and passes signals on."""
    say("waiting")
    return _wait()


def interrupted_mask(how: int, mask: Iterable[int]) -> set[int | signal.Signals]:
    """In the place of `signal.pthread_sigmask`: a signal arrives just before a worker is forked."""
    if how == signal.SIG_BLOCK:
        os.kill(os.getpid(), signal.SIGTERM)
    return _pthread_sigmask(how, mask)


def main() -> int:
    what, count = sys.argv[1], int(sys.argv[2])
    if what in ("serve", "stubborn"):
        os.wait = wait
    if what == "serve":
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        say(f"port {listener.getsockname()[1]}")
        return workers.run_workers(
            count, lambda index, parent_fd: serve(listener, index, parent_fd), on_stop=listener.close
        )
    if what == "stubborn":
        return workers.run_workers(count, stubborn, on_stop=lambda: None)
    if what == "stopped early":
        signal.pthread_sigmask = interrupted_mask
        return workers.run_workers(count, stubborn, on_stop=lambda: None)
    # Workers that end at once: the delays are printed instead of waited for.
    clock = Clock(interrupted=what == "interrupted")
    time.sleep, time.monotonic = clock.sleep, clock.monotonic
    work = {"look": look_at_signals, "fail": fail}.get(what, lambda index, parent_fd: 3)
    status = workers.run_workers(count, work, on_stop=lambda: None)
    say(f"paused {clock.now:.2f}")
    return status


if __name__ == "__main__":
    sys.exit(main())
