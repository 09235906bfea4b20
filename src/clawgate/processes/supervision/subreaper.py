"""How does a child end with us, and its descendants too, even when we are killed? A small process stands between.

Run as a script (``python -I -S keeper.py REPORT PARENT UNSET COMMAND...``), it leads a session of its own, starts the
command in a group of its own and ends all that came of it: when told to, when the command has ended, and when we are
gone, which a pipe and a handle of our process tell. On Linux what daemonised falls back to it; elsewhere it knows
the group alone. It imports the standard library only, knows no limits of ours but one, and starts nothing twice.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence

TERM = b"T"
KILL = b"K"
"""What it is told on its standard input: ask everything to end, or end it."""

MARK = "CLAWGATE_CHILD"
"""The variable by which all that came of a command can be told when nobody else knows: different for each life."""

LAST_SECONDS = 1.0
"""How long descendants have after SIGTERM when nobody else counts: we are gone, or the command ended by itself."""

_COERCED = "LC_CTYPE"
"""Which Python sets by itself where no locale is named (PEP 538), and the command is not to inherit."""

_AGAIN_SECONDS = 0.02
_HOPELESS_SECONDS = 30.0
"""What SIGKILL did not end by then is not ours to end: another user's, or stuck in the kernel."""

_SET_DEATH_SIGNAL, _SET_NAME, _SET_SUBREAPER = 1, 15, 36
"""PR_SET_PDEATHSIG, PR_SET_NAME and PR_SET_CHILD_SUBREAPER of prctl(2)."""


def command(report: int, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command line that has ``argv`` kept and told about on the descriptor ``report``.

    It writes lines there: ``pid N``, or ``failed ERRNO``; later ``exit STATUS``, negative for a signal. The
    descriptor is closed when nothing of the command is left. ``environment`` is what it is going to be started with.
    """
    foreign = "" if _COERCED in environment else _COERCED
    return [sys.executable, "-I", "-S", __file__, str(report), str(os.getpid()), foreign, *argv]


def family() -> dict[int, tuple[int, int, int]]:
    """Parent, group and session of every process that /proc shows; empty where there is no /proc."""
    found: dict[int, tuple[int, int, int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib would be half of the start-up time
            if name.isdecimal():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # as above
                    fields = file.read().rpartition(b") ")[2].split()
                    found[int(name)] = int(fields[1]), int(fields[2]), int(fields[3])
    return found


def below(ancestor: int, processes: dict[int, tuple[int, int, int]]) -> set[int]:
    """The descendants of a process."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [ancestor]
    while todo:
        more = [pid for pid in children.get(todo.pop(), []) if pid not in found]
        found.update(more)
        todo += more
    return found


def sweep(session: int, mark: str) -> None:
    """Kill what is left of a keeper that was itself killed: its session, and who left that but has the mark still."""
    seen: set[int] = set()
    while True:
        left = {pid for pid, (_, _, of) in family().items() if of == session or _has(pid, mark)} - seen
        if not left:
            return
        seen |= left  # and those that they started in the meantime, the next time
        for pid in left:
            _signal(pid, signal.SIGKILL)


def _has(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  # as above
        return f"{MARK}={mark}".encode() in file.read().split(b"\0")
    return False


def _signal(pid: int, sig: int) -> None:
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        os.kill(pid, sig)


def _signal_group(group: int, sig: int) -> None:
    with contextlib.suppress(OSError):  # nobody is left in it
        os.killpg(group, sig)


def _prctl(option: int, value: int | bytes) -> bool:
    if sys.platform != "linux":
        return False
    with contextlib.suppress(AttributeError, OSError):  # a C library without it
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    return False


class Subreaper:
    """The running keeper: one command, what came of it, and three reasons to end it."""

    def __init__(self, report: int, parent: int) -> None:
        self._report = report
        self._control: int | None = 0
        self._wake, woken = os.pipe()
        for fd in (self._wake, woken):
            os.set_blocking(fd, False)
        self._parent: int | None = None
        if hasattr(os, "pidfd_open") and os.getppid() == parent:
            with contextlib.suppress(OSError):  # an old kernel; the pipe alone will tell
                self._parent = os.pidfd_open(parent)
        self._main = 0
        self._until: float | None = None
        self._hopeless = 0.0
        self._ended = self._asked = self._killing = self._interrupted = False
        self._finds_all = _prctl(_SET_SUBREAPER, 1)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda sig, frame: None)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, self._interrupt)

    def _interrupt(self, sig: int, frame: object) -> None:
        self._interrupted = True

    def run(self, argv: list[str]) -> None:
        """Start it, and return when nothing is left of it."""
        failed = self._start(argv)
        if failed:
            self._say(f"failed {failed}")
            return
        self._say(f"pid {self._main}")
        while self._reap():
            self._listen(self._pause())
            if self._interrupted:
                self._ask(LAST_SECONDS)
            if self._until is not None and time.monotonic() >= self._until:
                self._killing = True
            if self._killing:
                self._hopeless = self._hopeless or time.monotonic() + _HOPELESS_SECONDS
                self._signal_all(signal.SIGKILL)
                if time.monotonic() > self._hopeless:
                    break
        if not self._finds_all:
            _signal_group(self._main, signal.SIGKILL)

    def _start(self, argv: list[str]) -> int:
        """0, or the error number of a command that could not be started."""
        reading, writing = os.pipe()  # closed by the exec: what can be read there is its failure
        keeper = os.getpid()
        self._main = os.fork()
        if self._main == 0:
            try:
                os.setpgid(0, 0)
                _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
                null = os.open(os.devnull, os.O_RDONLY)
                os.dup2(null, 0)
                for sig in (
                    signal.SIGPIPE,
                    signal.SIGXFSZ,
                ):  # Python ignores them, and a command would inherit that
                    signal.signal(sig, signal.SIG_DFL)
                if os.getppid() == keeper:
                    os.execvp(argv[0], argv)  # noqa: S606  # a list of arguments, and no shell
                os.write(writing, b"3")
            except OSError as error:
                os.write(writing, str(error.errno or 1).encode())
            finally:
                os._exit(127)
        os.close(writing)
        with contextlib.suppress(OSError):  # it did so itself, and may even have ended
            os.setpgid(self._main, self._main)
        failed = os.read(reading, 16)
        os.close(reading)
        if failed:
            os.waitpid(self._main, 0)
        return int(failed or b"0")

    def _reap(self) -> bool:
        """Take the status of all that ended; whether any descendant is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._main:
                self._ended = True
                self._say(f"exit {os.waitstatus_to_exitcode(status)}")
                if not self._asked:
                    self._ask(LAST_SECONDS)

    def _pause(self) -> float | None:
        if self._killing:
            return _AGAIN_SECONDS
        return None if self._until is None else max(self._until - time.monotonic(), 0)

    def _listen(self, seconds: float | None) -> None:
        watched = [fd for fd in (self._control, self._wake, self._parent) if fd is not None]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 4096)
        told = b""
        if self._control in ready:
            told = os.read(0, 64)
        if (self._control in ready and not told) or (self._parent is not None and self._parent in ready):
            self._control = self._parent = None
            self._ask(LAST_SECONDS)
        if TERM in told:
            self._ask(None)
        if KILL in told:
            self._killing = True

    def _ask(self, seconds: float | None) -> None:
        """SIGTERM, once; then SIGKILL after ``seconds``, or when it is told to."""
        if seconds is not None:
            until = time.monotonic() + seconds
            self._until = until if self._until is None else min(until, self._until)
        if not self._asked:
            self._asked = True
            self._signal_all(signal.SIGTERM)
        self._interrupted = False

    def _signal_all(self, sig: int) -> None:
        """The group at once, so that nobody in it is missed; then those that left it."""
        processes = family() if self._finds_all else {}
        groups = {group for _, group, _ in processes.values()}
        if not self._ended or not self._finds_all or self._main in groups:
            _signal_group(self._main, sig)
        for pid in below(os.getpid(), processes):
            if processes[pid][1] != self._main:
                _signal(pid, sig)

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody is there to read it
            os.write(self._report, f"{line}\n".encode())


def main() -> None:
    """The script."""
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    _prctl(_SET_NAME, b"clawgate-keeper")
    os.environ.pop(sys.argv[3], None)
    Subreaper(report, int(sys.argv[2])).run(sys.argv[4:])


if __name__ == "__main__":
    main()
