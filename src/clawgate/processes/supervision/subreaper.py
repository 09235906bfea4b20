"""Runs one command and ends it, and all its descendants, on request or when the gateway dies.

A script (``python -I -S subreaper.py REPORT PARENT UNSET PIPES COMMAND...``) between the gateway and a child. It leads
a session of its own and starts the command in a process group of its own. It learns of the gateway's death from the end
of a pipe and from a pidfd. On Linux daemonised descendants are reparented to it (PR_SET_CHILD_SUBREAPER), and to the
gateway when it was killed; elsewhere it knows the process group only. Must import the standard library only; never
starts a command twice.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence

TERM = b"T"
KILL = b"K"
"""Orders on its standard input: send SIGTERM, or SIGKILL, to everything."""

MARKER = "CLAWGATE_CHILD"
"""The environment variable that identifies the descendants of one child when its subreaper was killed."""

LAST_SECONDS = 1.0
"""From SIGTERM to SIGKILL of descendants when the gateway is gone or the command exited by itself."""

_COERCED = "LC_CTYPE"
"""Set by Python itself where no locale is named (PEP 538); the command must not inherit that."""

_KILL_INTERVAL_SECONDS = 0.02
_GIVE_UP_SECONDS = 30.0
"""What survived SIGKILL that long cannot be ended: another user's process, or stuck in the kernel."""

_SET_DEATH_SIGNAL, _SET_NAME, _SET_SUBREAPER = 1, 15, 36
"""PR_SET_PDEATHSIG, PR_SET_NAME and PR_SET_CHILD_SUBREAPER of prctl(2)."""

ProcessTable = dict[int, tuple[int, int, int]]
"""By pid: parent, process group and session."""


def command(
    report: int, argv: Sequence[str], environment: Mapping[str, str], pipes: tuple[int, int] | None = None
) -> list[str]:
    """Return the command line of a subreaper that runs ``argv`` and reports on the descriptor ``report``.

    It writes lines there: ``pid N`` or ``failed ERRNO``, later ``exit STATUS``, negative for a signal. It closes the
    descriptor when no descendant is left. ``environment`` is what the subreaper will be started with; ``pipes`` are the
    descriptors that become the command's standard input and output, in place of none and the subreaper's own.
    """
    foreign = "" if _COERCED in environment else _COERCED
    own = "" if pipes is None else f"{pipes[0]},{pipes[1]}"
    return [sys.executable, "-I", "-S", __file__, str(report), str(os.getpid()), foreign, own, *argv]


def process_table() -> ProcessTable:
    """Read every process from /proc; empty where there is no /proc."""
    table: ProcessTable = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib would double the start-up time
            if name.isdecimal():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # as above
                    fields = file.read().rpartition(b") ")[2].split()
                    table[int(name)] = int(fields[1]), int(fields[2]), int(fields[3])
    return table


def descendants(ancestor: int, processes: ProcessTable) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    queue = [ancestor]
    while queue:
        new = [pid for pid in children.get(queue.pop(), []) if pid not in found]
        found.update(new)
        queue += new
    return found


def adopt_orphans() -> bool:
    """Let the kernel give this process, the gateway, what a killed subreaper leaves (Linux)."""
    return _prctl(_SET_SUBREAPER, 1)


def kill_leftovers(subreaper: int, marker: str, others: Collection[int]) -> set[int]:
    """Kill what a killed ``subreaper`` left, and return what has to be waited for.

    That is its session, its descendants, processes that carry the marker, and those that this process adopted, with
    their descendants: its children that lead, or are in, another session and are none of ``others``, the subreapers
    that live. What an adopted process started becomes ours only once that has died.
    """
    here, session = os.getpid(), os.getsid(0)
    killed: set[int] = set()
    adopted: set[int] = set()
    while True:
        table = process_table()
        orphans = {pid for pid, row in table.items() if row[0] == here and row[2] != session}
        adopted |= orphans.difference(others, (subreaper,))
        adopted |= set().union(*(descendants(pid, table) for pid in adopted))
        left = {pid for pid, row in table.items() if row[2] == subreaper or _carries(pid, marker)}
        left |= descendants(subreaper, table) | adopted
        left -= killed
        if not left:
            return adopted
        killed |= left  # processes that they started meanwhile are found in the next round
        for pid in left:
            _signal(pid, signal.SIGKILL)


def exists(pid: int) -> bool:
    """Whether there is such a process, zombies included."""
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110  # pathlib would double the start-up time


def _carries(pid: int, marker: str) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  # as above
        return f"{MARKER}={marker}".encode() in file.read().split(b"\0")
    return False


def _signal(pid: int, sig: int) -> None:
    with contextlib.suppress(OSError):  # it has exited, or belongs to another user
        os.kill(pid, sig)


def _signal_group(group: int, sig: int) -> None:
    with contextlib.suppress(OSError):  # the group is empty
        os.killpg(group, sig)


def _prctl(option: int, value: int | bytes) -> bool:
    if sys.platform != "linux":
        return False
    with contextlib.suppress(AttributeError, OSError):  # a C library without it
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    return False


class Subreaper:
    """Runs one command until no descendant is left.

    ``report`` is a descriptor for status lines, ``parent`` the pid of the gateway, ``pipes`` as in `command`.
    """

    def __init__(self, report: int, parent: int, pipes: Sequence[int] = ()) -> None:
        self._report = report
        self._pipes = pipes
        self._control: int | None = 0
        self._wake, wake_write = os.pipe()
        for fd in (self._wake, wake_write):
            os.set_blocking(fd, False)
        self._parent: int | None = None
        if hasattr(os, "pidfd_open") and os.getppid() == parent:
            with contextlib.suppress(OSError):  # an old kernel: only the pipe reports the gateway's death
                self._parent = os.pidfd_open(parent)
        self._main = 0
        self._kill_at: float | None = None
        self._give_up_at = 0.0
        self._main_exited = self._terminating = self._killing = self._interrupted = False
        self._is_subreaper = _prctl(_SET_SUBREAPER, 1)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda sig, frame: None)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, self._on_signal)

    def _on_signal(self, sig: int, frame: object) -> None:
        self._interrupted = True

    def run(self, argv: list[str]) -> None:
        """Start the command; return when no descendant is left."""
        error = self._start(argv)
        if error:
            self._write_report(f"failed {error}")
            return
        self._write_report(f"pid {self._main}")
        while self._reap():
            self._wait(self._wait_seconds())
            if self._interrupted:
                self._terminate(LAST_SECONDS)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._killing = True
            if self._killing:
                self._give_up_at = self._give_up_at or time.monotonic() + _GIVE_UP_SECONDS
                self._signal_all(signal.SIGKILL)
                if time.monotonic() > self._give_up_at:
                    break
        if not self._is_subreaper:
            _signal_group(self._main, signal.SIGKILL)

    def _start(self, argv: list[str]) -> int:
        """Return 0, or the errno of a command that cannot be started."""
        read_end, write_end = os.pipe()  # closed by the exec: what can be read there is its errno
        subreaper = os.getpid()
        self._main = os.fork()
        if self._main == 0:
            try:
                os.setpgid(0, 0)
                _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
                for number, fd in enumerate(self._pipes or [os.open(os.devnull, os.O_RDONLY)]):
                    os.dup2(fd, number)
                for sig in signal.valid_signals():  # Python ignores some, a shell others for `clawgate … &`
                    if signal.getsignal(sig) is signal.SIG_IGN:
                        signal.signal(sig, signal.SIG_DFL)
                if os.getppid() == subreaper:
                    os.execvp(argv[0], argv)  # noqa: S606  # a list of arguments, and no shell
                os.write(write_end, str(errno.ESRCH).encode())
            except OSError as error:
                os.write(write_end, str(error.errno or 1).encode())
            finally:
                os._exit(127)
        for fd in (write_end, *self._pipes):
            os.close(fd)
        with contextlib.suppress(OSError):  # the child did it first, and may even have exited
            os.setpgid(self._main, self._main)
        failure = os.read(read_end, 16)
        os.close(read_end)
        if failure:
            os.waitpid(self._main, 0)
        return int(failure or b"0")

    def _reap(self) -> bool:
        """Collect every exit status; return whether a descendant is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._main:
                self._main_exited = True
                self._write_report(f"exit {os.waitstatus_to_exitcode(status)}")
                if not self._terminating:
                    self._terminate(LAST_SECONDS)

    def _wait_seconds(self) -> float | None:
        if self._killing:
            return _KILL_INTERVAL_SECONDS
        return None if self._kill_at is None else max(self._kill_at - time.monotonic(), 0)

    def _wait(self, seconds: float | None) -> None:
        """Wait for an order, a signal, an exit or the gateway's death."""
        watched = [fd for fd in (self._control, self._wake, self._parent) if fd is not None]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 4096)
        orders = b""
        if self._control in ready:
            orders = os.read(0, 64)
        parent_died = self._parent is not None and self._parent in ready
        if parent_died or (self._control in ready and not orders):
            self._control = self._parent = None
            self._terminate(LAST_SECONDS)
        if TERM in orders:
            self._terminate(None)
        if KILL in orders:
            self._killing = True

    def _terminate(self, seconds: float | None) -> None:
        """Send SIGTERM, once; SIGKILL follows after ``seconds``, or by order if None."""
        if seconds is not None:
            kill_at = time.monotonic() + seconds
            self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)
        if not self._terminating:
            self._terminating = True
            self._signal_all(signal.SIGTERM)
        self._interrupted = False

    def _signal_all(self, sig: int) -> None:
        """Signal the process group in one call, so that no member escapes; then descendants outside of it."""
        processes = process_table() if self._is_subreaper else {}
        groups = {group for _, group, _ in processes.values()}
        if not self._main_exited or not self._is_subreaper or self._main in groups:
            _signal_group(self._main, sig)
        for pid in descendants(os.getpid(), processes):
            if processes[pid][1] != self._main:
                _signal(pid, sig)

    def _write_report(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the gateway is gone
            os.write(self._report, f"{line}\n".encode())


def main() -> None:
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    _prctl(_SET_NAME, b"clawgate-reaper")
    os.environ.pop(sys.argv[3], None)
    pipes = [int(fd) for fd in sys.argv[4].split(",") if fd]
    for fd in pipes:
        os.set_inheritable(fd, False)
    Subreaper(report, int(sys.argv[2]), pipes).run(sys.argv[5:])


if __name__ == "__main__":
    main()
