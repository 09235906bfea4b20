"""Restarts the gateway without refusing a connection: exec of the program with its listening sockets inherited.

SIGUSR1 drains like SIGTERM; then the process executes itself with its flags, environment, pid, lock and listening
sockets. New connections meanwhile wait in the kernel's queue.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn

from clawgate.processes.argv_redaction import hand_over_arguments

logger = logging.getLogger("clawgate")

SOCKETS_VARIABLE = "CLAWGATE_LISTEN_FDS"
OWNER_VARIABLE = "CLAWGATE_LISTEN_PID"
RESTART_SIGNAL = signal.SIGUSR1


def ignore_restart_signal() -> None:
    """Keep SIGUSR1 from ending a process that cannot restart yet. Must be called first of all."""
    signal.signal(RESTART_SIGNAL, signal.SIG_IGN)


def inherited_sockets() -> list[socket.socket]:
    """Return the listening sockets of this process from before its exec; none after a normal start."""
    numbers = os.environ.pop(SOCKETS_VARIABLE, "")
    owner = os.environ.pop(OWNER_VARIABLE, "")
    if owner != str(os.getpid()):
        return []  # variables of a parent process, whose descriptors are not ours
    sockets: list[socket.socket] = []
    for number in filter(str.isdecimal, numbers.split(",")):
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=int(number))
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sockets.append(sock)
            else:
                sock.detach()
    return sockets


def listens_on(sockets: Sequence[socket.socket], host: str, port: int) -> bool:
    """Return whether ``sockets`` listen on ``host`` and ``port`` (0 for any). Raises OSError for an unknown host."""
    resolved = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = {address[0] for *_, address in resolved}
    names = [sock.getsockname() for sock in sockets]
    return {name[0] for name in names} == addresses and port in (0, *{name[1] for name in names})


def matching_sockets(sockets: Sequence[socket.socket], host: str, port: int) -> list[socket.socket]:
    """Return ``sockets`` if they listen on ``host`` and ``port`` (0 for any); else close them and return none.

    The config may have changed before the exec. Raises OSError for a host that has no address.
    """
    if listens_on(sockets, host, port):
        return list(sockets)
    for sock in sockets:
        sock.close()
    return []


class SocketHandover:
    """Hands the listening sockets over to the next program of this process.

    ``requested`` is True after SIGUSR1, until SIGTERM or SIGINT ends the process for good. ``may_restart`` is called
    first; if it returns False the process continues as if there had been no signal.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], may_restart: Callable[[], bool] = lambda: True
    ) -> None:
        self._may_restart = may_restart
        self._sockets = [sock.dup() for sock in sockets]
        self._stopping = False
        self.requested = False

    def install(self) -> None:
        """Install signal handlers in front of those that drain, which must be in place already.

        SIGUSR1 drains like SIGTERM. A SIGTERM or SIGINT ends the process even if a restart was requested.
        """
        drain = signal.getsignal(signal.SIGTERM)
        for sig in (signal.SIGTERM, signal.SIGINT):
            self._wrap_handler(sig)

        def restart(sig: int, frame: FrameType | None) -> None:
            if not (self.requested or self._stopping) and self._may_restart():
                self.requested = True
                if callable(drain):
                    drain(signal.SIGTERM, frame)

        signal.signal(RESTART_SIGNAL, restart)

    def _wrap_handler(self, sig: signal.Signals) -> None:
        wrapped = signal.getsignal(sig)

        def stop(number: int, frame: FrameType | None) -> None:
            self._stopping, self.requested = True, False
            self.close()  # else the port would seem open until the last response is out
            if callable(wrapped):
                wrapped(number, frame)

        signal.signal(sig, stop)

    def close(self) -> None:
        """Close the listening sockets: no program follows."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    def reexec(self, variables: Mapping[str, str]) -> NoReturn:
        """Execute the program again with additional environment variables. Raises OSError."""
        ignore_restart_signal()
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, signal.SIG_DFL)  # the drain is over
        for sock in self._sockets:
            sock.set_inheritable(True)
        numbers = ",".join(str(sock.fileno()) for sock in self._sockets)
        arguments, restore = hand_over_arguments()
        inherited = {SOCKETS_VARIABLE: numbers, OWNER_VARIABLE: str(os.getpid())}
        environment = {**os.environ, **inherited, **restore, **variables}
        logger.info("restarting")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, arguments, environment)  # noqa: S606  # no shell is used
