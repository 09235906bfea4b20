"""Identifies a process beyond its pid, which the kernel reuses.

Invariant: an identity (boot, pid namespace, start time) belongs to one process only.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PROC = Path("/proc")
_START_TIME_FIELD = 19
"""Of /proc/PID/stat after the program's name: starttime, in ticks since boot (proc(5))."""
_STATE_FIELD = 0
_POLL_SECONDS = 0.02


def identity_of(pid: int, proc: Path = PROC) -> str | None:
    """Return the identity of a process; None if there is none, or only a zombie."""
    if not (proc / "self" / "stat").exists():
        return _identity_by_ps(pid)
    try:
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b") ")[2].split()
        if fields[_STATE_FIELD] in (b"Z", b"X"):
            return None
        boot = (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
        namespace = str((proc / "self" / "ns" / "pid").readlink())  # containers have pids of their own
    except (OSError, IndexError):
        return None
    return f"{boot} {namespace} {fields[_START_TIME_FIELD].decode()}"


def _identity_by_ps(pid: int) -> str | None:
    """For systems without /proc: the start time in seconds, as ps prints it."""
    try:
        done = subprocess.run(
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def send_signal(pid: int, identity: str, sig: signal.Signals) -> bool:
    """Send ``sig`` to exactly that process; return False if it is gone.

    Raises PermissionError if it belongs to another user.
    """
    if sys.platform != "linux":
        return identity_of(pid) == identity and _kill(pid, sig)
    pidfd = _open(pid, identity)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, sig)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def _kill(pid: int, sig: signal.Signals) -> bool:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False
    return True


def wait_for_exit(pid: int, identity: str, seconds: float) -> bool:
    """Wait for the process; return whether it exited within ``seconds``."""
    if sys.platform != "linux":
        return _poll_for_exit(pid, identity, time.monotonic() + seconds)
    pidfd = _open(pid, identity)
    if pidfd is None:
        return True
    try:
        ready, _, _ = select.select([pidfd], [], [], max(seconds, 0))
    finally:
        os.close(pidfd)
    return bool(ready)


def _poll_for_exit(pid: int, identity: str, deadline: float) -> bool:
    while identity_of(pid) == identity:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _open(pid: int, identity: str) -> int | None:
    """Open a pidfd, then check the identity: in this order the pid cannot be reused between the two."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if identity_of(pid) != identity:
        os.close(pidfd)
        return None
    return pidfd
