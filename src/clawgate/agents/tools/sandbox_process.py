"""Reads pages and images of strangers, each in a process of its own that can do nothing else.

A script (``python -I -S sandbox_process.py PATHS``) that `sandbox` starts: it imports the libraries once, then forks
for each socket that it receives on its standard input. Such a fork has 2 s of CPU, 256 MB and no descriptor but its
socket: it can open no file and no connection. It dies when the gateway closes that socket, in whatever code it is
(SIGIO), and all of it ends with the gateway, which is the end of the standard input.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import signal
import socket
import struct
import sys
from typing import NoReturn

CPU_SECONDS = 2
MEMORY_BYTES = 256 * 1024 * 1024
_NICE = 5
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_READ_BYTES = 1 << 18


def main(paths: list[str]) -> None:
    """Serve until the gateway closes the standard input."""
    sys.path[:] = paths
    from clawgate.agents.tools import jobs

    jobs.prepare()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control = socket.socket(fileno=0)
    with contextlib.suppress(OSError):  # the gateway was killed
        while True:
            data, received, _, _ = socket.recv_fds(control, 1, 1)
            if not data:
                break
            if os.fork() == 0:
                _serve(received[0])
            os.close(received[0])
    os.killpg(0, signal.SIGTERM)  # the forks: this process ignores it
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _serve(connection: int) -> NoReturn:
    """Do the one job of this process."""
    try:
        _confine(connection)
        request = _read()
        flags = fcntl.fcntl(0, fcntl.F_GETFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(
            0, fcntl.F_SETFL, flags | os.O_ASYNC
        )  # the other end is closed: SIGIO, which ends this process
        from clawgate.agents.tools import jobs

        header, _, body = request.partition(b"\n")
        try:
            result = jobs.work(json.loads(header), body)
        except MemoryError:
            result = b""
        fcntl.fcntl(0, fcntl.F_SETFL, flags)
        _write(struct.pack("!I", len(result)) + result)
    finally:
        os._exit(0)


def _confine(connection: int) -> None:
    for name in (signal.SIGTERM, signal.SIGIO, signal.SIGPIPE):
        signal.signal(name, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.nice(_NICE)
    os.dup2(connection, 0)
    os.closerange(3, 1024)
    limits = {
        resource.RLIMIT_CPU: (CPU_SECONDS, CPU_SECONDS + 1),
        resource.RLIMIT_AS: (MEMORY_BYTES, MEMORY_BYTES),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_NOFILE: (3, 3),
    }
    for limit, values in limits.items():
        with contextlib.suppress(OSError, ValueError):  # macOS has no limit of memory
            resource.setrlimit(limit, values)


def _read() -> bytes:
    pieces = []
    while piece := os.read(0, _READ_BYTES):
        pieces.append(piece)
    return b"".join(pieces)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(0, view) :]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
