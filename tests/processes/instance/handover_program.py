"""Listens, prints its port and pid, drains on a signal, and restarts with the same listener."""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType

from clawgate.processes.instance.reexec import SocketHandover, ignore_restart_signal, inherited_sockets

ended: list[int] = []


def drain(sig: int, frame: FrameType | None) -> None:
    ended.append(sig)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


ignore_restart_signal()
inherited = inherited_sockets()
sockets = inherited or [socket.create_server(("127.0.0.1", 0))]
for sig in (signal.SIGTERM, signal.SIGINT):
    signal.signal(sig, drain)
handover = SocketHandover(sockets)
handover.install()
say(
    "life",
    os.environ.get("LIFE", "0"),
    os.getpid(),
    sockets[0].getsockname()[1],
    len(inherited),
    *sys.argv[1:],
)
for line in sys.stdin:
    match line.strip():
        case "end":
            break
        case "state":
            say(handover.requested, *map(int, ended))
        case name:
            os.kill(os.getpid(), signal.Signals[name])
            say("done")
for sock in sockets:
    sock.close()
if handover.requested:
    handover.reexec({"LIFE": str(int(os.environ.get("LIFE", "0")) + 1)})
handover.close()
say("over", *map(int, ended))
