"""Runs one process of a supervised child: spawn, signal, collect output.

Policy lives in `lifecycle`. The child is started and signalled through a `subreaper`, over pipes that the running loop
watches; nothing here blocks.
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
from collections.abc import Callable, Mapping
from pathlib import Path

from clawgate.plugins.api import ChildSpec
from clawgate.processes.supervision import subreaper
from clawgate.processes.supervision.child_state import Event, Exited, SpawnFailed, Started
from clawgate.processes.supervision.output_tail import OutputTail

_READ_BYTES = 65_536
_READ_INTERVAL_SECONDS = 0.001
_REPORT_BYTES = 4096
_LAST_READS = 16
"""What a pipe can hold; a process that inherited the pipe may write to it forever."""
_POLL_SECONDS = 0.005
_POLLS_BEFORE_KILL = 400
_POLLS_OF_KILLED = 12_000  # a minute: what was killed dies when the machine has time for it
_NEUTRAL_FOLDER = "/"
"""Where a child runs if its spec names no folder: the gateway's working directory is not the child's."""
_subreapers: set[int] = set()
"""The pids of those that live."""
_TRANSIENT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EIO)


class Child:
    """One process. After `start` it emits `Started` and in the end `Exited`, or `SpawnFailed`, exactly once.

    With ``piped`` its standard input and output are `pipes`; else it has no input, and its output is collected.
    """

    def __init__(
        self, spec: ChildSpec, output: OutputTail, emit: Callable[[Event], None], *, piped: bool = False
    ) -> None:
        self._spec = spec
        self._output = output
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._fds: set[int] = set()
        self._report = self._stream = self._control = -1
        self._piped = piped
        self._pipes: tuple[int, int] | None = None
        self._partial_report = b""
        self._spawn_errno: int | None = None
        self._exit: int | None = None
        self._exit_known = False
        self._marker = secrets.token_hex(16)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def subreaper_pid(self) -> int:
        """The ancestor of all of the child's processes; 0 if there is none."""
        return self._popen.pid if self._popen else 0

    def take_pipes(self) -> tuple[int, int] | None:
        """Return where to write its input and read its output, which the caller closes; None if it was not spawned."""
        taken, self._pipes = self._pipes, None
        self._fds.difference_update(taken or ())
        return taken

    def start(self) -> None:
        """Spawn the child. Failures are emitted, not raised."""
        if not self._spec.argv or not self._spec.argv[0]:
            self._emit(SpawnFailed("no command is configured; set it to a list that begins with the program"))
            return
        try:
            self._spawn()
        except (OSError, ValueError) as error:
            self._close()
            self._emit(_spawn_failed(error, self._spec))

    def _spawn(self) -> None:
        self._report, report = self._pipe()
        self._stream, stream = self._pipe()
        control, self._control = self._pipe()
        for fd in (self._report, self._stream, self._control):  # not its ends: it expects blocking ones
            os.set_blocking(fd, False)
        theirs: tuple[int, int] | None = None
        if self._piped:
            their_input, our_output = self._pipe()
            our_input, their_output = self._pipe()
            theirs, self._pipes = (their_input, their_output), (our_output, our_input)
        folder = str(self._spec.cwd or _NEUTRAL_FOLDER)
        subreaper.adopt_orphans()
        self._popen = subprocess.Popen(
            subreaper.command(report, self._spec.argv, self._spec.environment, theirs),
            stdin=control,
            stdout=stream,
            stderr=stream,
            pass_fds=(report, *(theirs or ())),
            env={**_without_old_folder(self._spec.environment, folder), subreaper.MARKER: self._marker},
            cwd=folder,
            start_new_session=True,
        )
        _subreapers.add(self._popen.pid)
        for fd in (report, stream, control, *(theirs or ())):
            self._close_fd(fd)
        self._loop.add_reader(self._report, self._on_report)
        self._loop.add_reader(self._stream, self._on_output)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._fds.update(ends)
        return ends

    def send(self, order: bytes) -> None:
        """Order the subreaper to end the child: `subreaper.TERM` or `subreaper.KILL`."""
        with contextlib.suppress(OSError):  # it is ending by itself
            os.write(self._control, order)

    def abandon(self) -> None:
        """Kill what can be killed and stop emitting."""
        self._emit = lambda event: None
        self._close()
        if self._popen is not None:
            self._popen.kill()
            self._kill_leftovers(self._popen.pid)
            self._collect_status(_POLLS_BEFORE_KILL)

    def _on_output(self) -> None:
        try:
            data = os.read(self._stream, _READ_BYTES)
        except BlockingIOError:
            return
        self._loop.remove_reader(self._stream)
        if data:  # else the child closed its output, and may still run
            self._output.feed(data)
            # A child that writes as fast as it can must not occupy the loop.
            self._loop.call_later(_READ_INTERVAL_SECONDS, self._resume_output)

    def _resume_output(self) -> None:
        if self._stream in self._fds:
            self._loop.add_reader(self._stream, self._on_output)

    def _on_report(self) -> None:
        try:
            data = os.read(self._report, _REPORT_BYTES)
        except BlockingIOError:
            return
        *lines, self._partial_report = (self._partial_report + data).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            match word:
                case b"pid":
                    self._emit(Started(int(number)))
                case b"failed":
                    self._spawn_errno = int(number)
                case b"exit":
                    self._exit, self._exit_known = int(number), True
        if not data:
            for _ in range(_LAST_READS):
                with contextlib.suppress(BlockingIOError):
                    self._output.feed(os.read(self._stream, _READ_BYTES))
            self._close()
            self._collect_status(_POLLS_BEFORE_KILL)

    def _collect_status(self, polls: int) -> None:
        """Wait for the subreaper, which has closed its pipes and is about to exit, and emit the end."""
        assert self._popen is not None
        if self._popen.poll() is None:
            if polls == 0:
                self._popen.kill()
            self._loop.call_later(_POLL_SECONDS, self._collect_status, polls - 1)
            return
        _subreapers.discard(self._popen.pid)
        if self._spawn_errno is not None:
            error = OSError(self._spawn_errno, os.strerror(self._spawn_errno))
            self._emit(_spawn_failed(error, self._spec))
            return
        if not self._exit_known:  # the subreaper was killed
            self._kill_leftovers(self._popen.pid)
        name = ""
        if self._exit is not None and self._exit < 0:
            with contextlib.suppress(ValueError):  # a signal without a name
                name = signal.Signals(-self._exit).name
        self._emit(Exited(self._exit, name))

    def _kill_leftovers(self, pid: int) -> None:
        self._reap(subreaper.kill_leftovers(pid, self._marker, _subreapers), _POLLS_OF_KILLED)

    def _reap(self, killed: set[int], polls: int) -> None:
        """Wait for killed processes that are our children, or become that, so that none stays as a zombie."""
        left = set()
        for pid in killed:
            try:
                is_left = os.waitpid(pid, os.WNOHANG)[0] == 0
            except ChildProcessError:  # its parent, which was killed as well, may not have died yet
                is_left = subreaper.exists(pid)
            left |= {pid} if is_left else set()
        if left and polls:
            self._loop.call_later(_POLL_SECONDS, self._reap, left, polls - 1)

    def _close(self) -> None:
        """Close all descriptors. The subreaper sees the end of its pipe and ends everything."""
        for fd in (self._report, self._stream):
            if fd in self._fds:
                self._loop.remove_reader(fd)
        for fd in tuple(self._fds):
            self._close_fd(fd)

    def _close_fd(self, fd: int) -> None:
        self._fds.discard(fd)
        os.close(fd)


def _without_old_folder(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return ``environment`` with the child's folder in PWD: some programs prefer it to their working directory."""
    result = {name: value for name, value in environment.items() if name != "OLDPWD"}
    return result | {"PWD": folder} if "PWD" in result else result


def _spawn_failed(error: OSError | ValueError, spec: ChildSpec) -> SpawnFailed:
    """Describe the failure and its fix. Must not contain arguments, which may hold secrets: only the program's name."""
    program = spec.argv[0]
    if isinstance(error, ValueError):
        return SpawnFailed(f"{program} cannot be started: its command or environment contains a NUL")
    if error.filename is not None and spec.cwd is not None and str(error.filename) == str(spec.cwd):
        return SpawnFailed(f"cannot enter its working folder {spec.cwd}: {error.strerror}")
    path = shutil.which(program, path=spec.environment.get("PATH", os.defpath))
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if path:
            return SpawnFailed(f"{path}: its interpreter does not exist; check its first line")
        reason = "no such file" if "/" in program else "not on the PATH of the child"
        return SpawnFailed(f"{program} not found: {reason}; install it, or configure its absolute path")
    if error.errno == errno.EACCES and Path(path or program).is_dir():
        return SpawnFailed(f"{program} is a folder; configure the program in it")
    if error.errno == errno.EACCES:
        return SpawnFailed(f"{program} is not executable; try: chmod +x {program}")
    if error.errno == errno.ENOEXEC:
        return SpawnFailed(f"{program} is not a program for this machine (a script needs a #! line)")
    return SpawnFailed(
        f"{program} cannot be started: {error.strerror}", lasting=error.errno not in _TRANSIENT
    )
