"""A child to be supervised: `stand_in.py WHAT [PORT]` does what its first argument says, and says `up PID` when up."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

HEALTHY = b'{"status":"healthy","version":"0"}'
RESPONSES = {
    "degraded": b'{"status":"degraded","error":"Could not verify auth status"}',
    "unhealthy": b'{"status":"unhealthy","error":"Not logged in. Run: claude login"}',
    "stranger": b"<html>another program</html>",
}
silenced = threading.Event()


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def fall_silent(sig: int, frame: object) -> None:
    silenced.set()


def serve(port: int, body: bytes) -> None:
    """Send every request the same response, until SIGUSR1 makes it hang."""
    signal.signal(signal.SIGUSR1, fall_silent)
    with socket.create_server(("127.0.0.1", port)) as listener:
        say(f"up {os.getpid()}")
        while True:
            connection, _ = listener.accept()
            with connection:
                while silenced.is_set():
                    signal.pause()
                connection.recv(65_536)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode() + body)


def wait() -> None:
    say(f"up {os.getpid()}")
    while True:
        signal.pause()


def heir(ready: int, *, daemon: bool, ignores_term: bool = False) -> None:
    """Another process, which holds nothing of ours but our output; a daemon leaves our session as well."""
    if os.fork() > 0:
        return
    if daemon:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
    if ignores_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"up {os.getpid()}")
    os.write(ready, b".")
    os.close(ready)
    while True:
        signal.pause()


def fugitive() -> None:
    """A process that left our session, group and environment, and then the death of what watches us."""
    reading, ready = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        say(f"up {os.getpid()}")
        os.set_inheritable(ready, True)
        wait_forever = f"import os, signal; os.close({ready}); signal.pause()"
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", wait_forever], {})
    os.close(ready)
    os.read(reading, 1)
    os.kill(os.getppid(), signal.SIGKILL)
    wait()


def main() -> None:
    what = sys.argv[1]
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    match what:
        case "exit":
            say("it did not go well")
            os._exit(port)
        case "signal":
            os.kill(os.getpid(), port)
        case "wait":
            wait()
        case "mute":
            with socket.create_server(("127.0.0.1", port)):
                wait()
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            serve(port, HEALTHY)
        case "family" | "lost":
            reading, ready = os.pipe()
            heir(ready, daemon=False)
            heir(ready, daemon=True)
            heir(ready, daemon=True, ignores_term=True)
            os.close(ready)
            while os.read(reading, 1):
                pass
            if what == "lost":  # and ends without them
                os._exit(1)
            serve(port, HEALTHY)
        case "fugitive":
            fugitive()
        case "noise":
            line = b"n" * 99 + b"\n"
            for _ in range(1000):
                os.write(2, line * 1000)
            say("the end")
            serve(port, HEALTHY)
        case "closed":
            for fd in (0, 1, 2):
                os.close(fd)
            os.open(os.devnull, os.O_RDWR)
            os.dup(0)
            os.dup(0)
            serve(port, HEALTHY)
        case _:
            serve(port, RESPONSES.get(what, HEALTHY))


if __name__ == "__main__":
    main()
