"""Has foreign bytes read in a process that is killed where it takes too long, too much memory, or is not needed.

Law: nothing of a page or an image is parsed in the gateway itself. The process has no variable of the environment and
no descriptor of the gateway's, and none of it stays when the gateway dies. `sandbox_process` is started at the first
job, and ended after `IDLE_SECONDS` without one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping

from clawgate.agents.tools import sandbox_process
from clawgate.agents.tools.sandbox_process import CPU_SECONDS, MEMORY_BYTES

IDLE_SECONDS = 300.0
JOBS = 2
"""So many at the same time; others wait."""
WALL_SECONDS = 20.0
"""A process that does not get its CPU time: the machine is busy."""
MAX_RESULT_BYTES = 8_000_000
_READ_BYTES = 1 << 18
_POLL_SECONDS = 0.01
_POLLS_BEFORE_KILL = 100


class JobStopped(Exception):
    """The job had no result within its limits."""

    def __init__(self) -> None:
        super().__init__(
            f"it cannot be read within {CPU_SECONDS} s of CPU time and {MEMORY_BYTES >> 20} MB of memory"
        )


class Sandbox:
    """Owned by one event loop."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._places = asyncio.Semaphore(JOBS)
        self._running = 0
        self._idle: asyncio.TimerHandle | None = None

    async def run(self, job: Mapping[str, object], body: bytes = b"") -> bytes:
        """Return the result of `jobs.work`. Raises `JobStopped`; cancelled, it ends the process of the job."""
        async with self._places:
            self._running += 1
            self._stay()
            try:
                async with asyncio.timeout(WALL_SECONDS):
                    return await self._exchange(json.dumps(job).encode() + b"\n" + body)
            except (TimeoutError, OSError):
                raise JobStopped from None
            finally:
                self._running -= 1
                if not self._running:
                    self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end)

    def start(self) -> None:
        """Start the process, where there is none, so that the first job does not wait for its imports."""
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", sandbox_process.__file__, json.dumps(sys.path)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                process_group=0,
            )

    async def _exchange(self, request: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        self.start()
        assert self._control is not None, "`start` sets it"
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._control, [b"j"], [theirs.fileno()])
            ours.setblocking(False)
            await loop.sock_sendall(ours, request)
            ours.shutdown(socket.SHUT_WR)
            result = bytearray()
            while len(result) <= MAX_RESULT_BYTES and (piece := await loop.sock_recv(ours, _READ_BYTES)):
                result += piece
        if len(result) < 5 or struct.unpack_from("!I", result)[0] != len(result) - 4:
            raise JobStopped
        return bytes(result[4:])

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end(self) -> None:
        """Close its standard input, at which it ends, and wait for that."""
        process, self._process = self._process, None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        if process is not None:
            self._reap(process, _POLLS_BEFORE_KILL)

    def _reap(self, process: subprocess.Popen[bytes], polls: int) -> None:
        if process.poll() is not None:
            return
        if polls == 0:
            process.kill()
        asyncio.get_running_loop().call_later(_POLL_SECONDS, self._reap, process, polls - 1)

    async def close(self) -> None:
        """Return when its process has ended."""
        self._stay()
        process = self._process
        self._end()
        while process is not None and process.poll() is None:  # noqa: ASYNC110  # no event reports it
            await asyncio.sleep(_POLL_SECONDS)
