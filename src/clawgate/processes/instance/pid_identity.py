"""Is the process with this number still the one that we mean? A number is used again after its process has ended.

A process is told by its number and by the moment it began, which no other process on this boot shares with it.
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
_START_FIELD = 19
"""Of /proc/PID/stat behind the name of the program: starttime, in ticks since boot (proc(5))."""
_STATE_FIELD = 0
_LOOK_EVERY_SECONDS = 0.02


def identity_of(pid: int, proc: Path = PROC) -> str | None:
    """A text that no other process has or will have; None where there is no such process, or only its remains."""
    if not (proc / "self" / "stat").exists():
        return _identity_by_ps(pid)
    try:
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b") ")[2].split()
        if fields[_STATE_FIELD] in (b"Z", b"X"):
            return None
        boot = (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
        space = str(
            (proc / "self" / "ns" / "pid").readlink()
        )  # containers of one machine count for themselves
    except (OSError, IndexError):
        return None
    return f"{boot} {space} {fields[_START_FIELD].decode()}"


def _identity_by_ps(pid: int) -> str | None:
    """For systems without /proc: the second in which it began, as ps tells it."""
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


def send(pid: int, identity: str, sig: signal.Signals) -> bool:
    """Send ``sig`` to exactly that process; False if it is gone. Raises PermissionError for somebody else's."""
    if sys.platform != "linux":
        return identity_of(pid) == identity and _kill(pid, sig)
    handle = _open(pid, identity)
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, sig)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _kill(pid: int, sig: signal.Signals) -> bool:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(pid: int, identity: str, seconds: float) -> bool:
    """Whether that process has ended when ``seconds`` have passed."""
    if sys.platform != "linux":
        return _gone_by(pid, identity, time.monotonic() + seconds)
    handle = _open(pid, identity)
    if handle is None:
        return True
    try:
        ready, _, _ = select.select([handle], [], [], max(seconds, 0))
    finally:
        os.close(handle)
    return bool(ready)


def _gone_by(pid: int, identity: str, until: float) -> bool:
    while identity_of(pid) == identity:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_EVERY_SECONDS)
    return True


def _open(pid: int, identity: str) -> int | None:
    """A handle that stays with the process; looked at after it is opened, so that nobody can step in between."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if identity_of(pid) != identity:
        os.close(handle)
        return None
    return handle
