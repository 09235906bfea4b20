"""How does a gateway start again without refusing a connection? As the same process, with the same listener.

SIGUSR1 drains it as SIGTERM does; then it executes itself, with its flags, its environment, its number, its lock and
its listening sockets. Connections that are made meanwhile wait in the kernel's queue.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

logger = logging.getLogger("clawgate")

SOCKETS_VARIABLE = "CLAWGATE_LISTEN_FDS"
OWNER_VARIABLE = "CLAWGATE_LISTEN_PID"
RESTART_SIGNAL = signal.SIGUSR1


def ignore_restart_signal() -> None:
    """Until a restart can be done, the signal for it must not end the process. To be called first of all."""
    signal.signal(RESTART_SIGNAL, signal.SIG_IGN)


def inherited_sockets() -> list[socket.socket]:
    """The listening sockets of this process from before its exec; none for one that was started."""
    given = os.environ.pop(SOCKETS_VARIABLE, "")
    owner = os.environ.pop(OWNER_VARIABLE, "")
    if owner != str(os.getpid()):
        return []  # variables of a parent: its descriptors are not ours
    found: list[socket.socket] = []
    for number in filter(str.isdecimal, given.split(",")):
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=int(number))
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(sock)
            else:
                sock.detach()
    return found


def matching_sockets(sockets: Sequence[socket.socket], host: str, port: int) -> list[socket.socket]:
    """``sockets`` if they listen where ``host`` and ``port`` (0 for any) say now; else none, and they are closed.

    The config may have been changed between two lives. Raises OSError for a host that has no address.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = {place[0] for *_, place in found}
    names = [sock.getsockname() for sock in sockets]
    if {name[0] for name in names} == addresses and port in (0, *{name[1] for name in names}):
        return list(sockets)
    for sock in sockets:
        sock.close()
    return []


class SocketHandover:
    """Keeps what the next program of this process needs. ``wanted`` once a restart was asked for."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = [sock.dup() for sock in sockets]
        self._ending = False
        self.wanted = False

    def install(self) -> None:
        """Obey the signals, in front of the handlers that drain: to be called once those are in place.

        A restart drains as SIGTERM does. Whoever sends SIGTERM or SIGINT itself wants an end, also of a restart.
        """
        drain = signal.getsignal(signal.SIGTERM)
        for sig in (signal.SIGTERM, signal.SIGINT):
            self._stand_before(sig)

        def restart(sig: int, frame: FrameType | None) -> None:
            if not (self.wanted or self._ending):
                self.wanted = True
                if callable(drain):
                    drain(signal.SIGTERM, frame)

        signal.signal(RESTART_SIGNAL, restart)

    def _stand_before(self, sig: signal.Signals) -> None:
        then = signal.getsignal(sig)

        def end(number: int, frame: FrameType | None) -> None:
            self._ending, self.wanted = True, False
            self.drop()  # or the port would seem open until the last answer is out
            if callable(then):
                then(number, frame)

        signal.signal(sig, end)

    def drop(self) -> None:
        """There will be no next program: let go of the listener."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    def exec_again(self, more: Mapping[str, str]) -> NoReturn:
        """Become the program anew; ``more`` are variables for it. Raises OSError if it cannot be executed."""
        ignore_restart_signal()
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, signal.SIG_DFL)  # from here on there is nothing left to be drained
        for sock in self._sockets:
            sock.set_inheritable(True)
        numbers = ",".join(str(sock.fileno()) for sock in self._sockets)
        environment = os.environ | {SOCKETS_VARIABLE: numbers, OWNER_VARIABLE: str(os.getpid()), **more}
        logger.info("starting again")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606  # no shell is wanted
