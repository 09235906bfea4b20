"""Takes the listening sockets that systemd passes, and reports to it that the program serves.

Sources: sd_listen_fds(3), sd_notify(3). Each is called once, and its variables are removed: a child must not take them
for its own.
"""

from __future__ import annotations

import contextlib
import os
import socket

_FIRST = 3
"""SD_LISTEN_FDS_START."""


def activated_sockets() -> list[socket.socket]:
    """Return the sockets that systemd listens on for this process; none where it was started in another way.

    Raises ValueError for a descriptor that is no listening stream socket.
    """
    count, owner = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if owner != str(os.getpid()) or not count.isdecimal():
        return []  # variables of a parent process, whose descriptors are not ours
    sockets: list[socket.socket] = []
    for number in range(_FIRST, _FIRST + int(count)):
        try:
            sock = socket.socket(fileno=number)
            is_listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise ValueError(f"descriptor {number} is no socket") from error
        if not is_listening or sock.type != socket.SOCK_STREAM:
            sock.detach()
            raise ValueError(f"descriptor {number} is no listening stream socket")
        sock.setblocking(False)
        sock.set_inheritable(False)
        sockets.append(sock)
    return sockets


def notify_ready() -> None:
    """Report to systemd that the service is ready; elsewhere nothing. What cannot be sent is left to its time limit."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
