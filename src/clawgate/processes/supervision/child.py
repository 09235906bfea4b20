"""One life of a child: how is it started, told to end, and heard? Decides nothing; what it learns it passes on.

It is spoken to through its keeper (see keeper.py), by pipes that the running loop watches. No time is spent waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable

from clawgate.processes.supervision import subreaper as keeper
from clawgate.processes.supervision.child_state import Event, Exited, SpawnFailed, Started
from clawgate.processes.supervision.output_tail import OutputTail
from clawgate.processes.supervision.spec import SupervisedSpec

_READ_BYTES = 65_536
_BREATH_SECONDS = 0.001
_REPORT_BYTES = 4096
_LAST_READS = 16
"""What a pipe can hold, and not what an heir of the pipe may go on writing for ever."""
_LOOK_AGAIN_SECONDS = 0.005
_LOOKS_BEFORE_KILL = 400
_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EIO)


class Child:
    """Made by `start`, it tells `Started` and in the end `Exited`, or `SpawnFailed`, exactly once."""

    def __init__(self, plan: SupervisedSpec, output: OutputTail, tell: Callable[[Event], None]) -> None:
        self._plan = plan
        self._output = output
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._fds: set[int] = set()
        self._report = self._stream = self._control = -1
        self._said = b""
        self._failed: int | None = None
        self._exit: int | None = None
        self._exit_known = False
        self._mark = secrets.token_hex(16)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def keeper_pid(self) -> int:
        """Of the process that all of the child's descend from; 0 where there is none."""
        return self._popen.pid if self._popen else 0

    def start(self) -> None:
        """Start it. What fails is told, not raised."""
        if not self._plan.argv or not self._plan.argv[0]:
            self._tell(SpawnFailed("no command is configured: set it to a list, the program first"))
            return
        try:
            self._start()
        except (OSError, ValueError) as error:
            self._close()
            self._tell(_not_started(error, self._plan))

    def _start(self) -> None:
        self._report, report = self._pipe()
        self._stream, stream = self._pipe()
        control, self._control = self._pipe()
        for fd in (self._report, self._stream, self._control):  # our ends; the child's would surprise it
            os.set_blocking(fd, False)
        self._popen = subprocess.Popen(
            keeper.command(report, self._plan.argv, self._plan.environment),
            stdin=control,
            stdout=stream,
            stderr=stream,
            pass_fds=(report,),
            env={**self._plan.environment, keeper.MARK: self._mark},
            cwd=self._plan.cwd,
            start_new_session=True,
        )
        for fd in (report, stream, control):
            self._close_one(fd)
        self._loop.add_reader(self._report, self._hear_report)
        self._loop.add_reader(self._stream, self._hear_output)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._fds.update(ends)
        return ends

    def send(self, order: bytes) -> None:
        """Tell the keeper to end it: `keeper.TERM` or `keeper.KILL`."""
        with contextlib.suppress(OSError):  # it is ending by itself
            os.write(self._control, order)

    def abandon(self) -> None:
        """Let go of what does not end; nothing is told any more."""
        self._tell = lambda event: None
        self._close()
        if self._popen is not None:
            self._popen.kill()
            keeper.sweep(self._popen.pid, self._mark)
            self._bury(_LOOKS_BEFORE_KILL)

    def _hear_output(self) -> None:
        try:
            data = os.read(self._stream, _READ_BYTES)
        except BlockingIOError:
            return
        self._loop.remove_reader(self._stream)
        if data:  # else it closed its output, and may go on
            self._output.feed(data)
            # It may write as fast as it can, and the loop has others to serve.
            self._loop.call_later(_BREATH_SECONDS, self._listen_again)

    def _listen_again(self) -> None:
        if self._stream in self._fds:
            self._loop.add_reader(self._stream, self._hear_output)

    def _hear_report(self) -> None:
        try:
            data = os.read(self._report, _REPORT_BYTES)
        except BlockingIOError:
            return
        *lines, self._said = (self._said + data).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            match word:
                case b"pid":
                    self._tell(Started(int(number)))
                case b"failed":
                    self._failed = int(number)
                case b"exit":
                    self._exit, self._exit_known = int(number), True
        if not data:
            for _ in range(_LAST_READS):
                with contextlib.suppress(BlockingIOError):
                    self._output.feed(os.read(self._stream, _READ_BYTES))
            self._close()
            self._bury(_LOOKS_BEFORE_KILL)

    def _bury(self, looks: int) -> None:
        """Take the status of the keeper, which has closed everything and ends in this moment."""
        assert self._popen is not None
        if self._popen.poll() is None:
            if looks == 0:
                self._popen.kill()
            self._loop.call_later(_LOOK_AGAIN_SECONDS, self._bury, looks - 1)
            return
        if self._failed is not None:
            self._tell(_not_started(OSError(self._failed, os.strerror(self._failed)), self._plan))
            return
        if not self._exit_known:  # somebody killed the keeper
            keeper.sweep(self._popen.pid, self._mark)
        name = ""
        if self._exit is not None and self._exit < 0:
            with contextlib.suppress(ValueError):  # a signal without a name
                name = signal.Signals(-self._exit).name
        self._tell(Exited(self._exit, name))

    def _close(self) -> None:
        """All descriptors. The keeper sees the end of its pipe, and ends what there is."""
        for fd in (self._report, self._stream):
            if fd in self._fds:
                self._loop.remove_reader(fd)
        for fd in tuple(self._fds):
            self._close_one(fd)

    def _close_one(self, fd: int) -> None:
        self._fds.discard(fd)
        os.close(fd)


def _not_started(error: OSError | ValueError, plan: SupervisedSpec) -> SpawnFailed:
    """Why, and the way out. The arguments are not repeated: only the name of the command is shown."""
    program = plan.argv[0]
    if isinstance(error, ValueError):
        return SpawnFailed(f"{program} cannot be started: the command or its environment holds a NUL")
    if error.filename is not None and plan.cwd is not None and str(error.filename) == str(plan.cwd):
        return SpawnFailed(f"its folder {plan.cwd} cannot be entered: {error.strerror}")
    found = shutil.which(program, path=plan.environment.get("PATH", os.defpath))
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if found:
            return SpawnFailed(f"{found} names an interpreter that is not there; look at its first line")
        where = "there is no such file" if "/" in program else "it is not on the PATH that it would be given"
        return SpawnFailed(f"{program} was not found: {where}. Install it, or name it with its whole path")
    if error.errno == errno.EACCES:
        return SpawnFailed(f"{program} may not be executed; try: chmod +x {program}")
    if error.errno == errno.ENOEXEC:
        return SpawnFailed(f"{program} is no program that this machine can run (a script needs a line #!)")
    return SpawnFailed(
        f"{program} could not be started: {error.strerror}", lasting=error.errno not in _PASSING
    )
