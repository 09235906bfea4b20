"""What of our own command line can other users read? Not the secrets that were given as flags, once they are known.

On Linux every user can read any process's arguments (`ps`, /proc/PID/cmdline): they are the bytes with which the
process began, in its own memory, where they can be blotted out. Elsewhere nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_ARG_START, _ARG_END = 48, 49  # fields of /proc/PID/stat, counted from 1: proc_pid_stat(5)
_BEHIND_THE_NAME = 3  # the first field behind the process's name, which may hold anything


def redact_argv(secrets: Iterable[str]) -> None:
    """Blot ``secrets`` out of what others can read of our arguments; `sys.argv` keeps them."""
    try:
        shown = Path("/proc/self/cmdline").read_bytes()
        found = [secret.encode() for secret in secrets if secret and secret.encode() in shown]
        if not found:
            return
        fields = (
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        start, end = (int(fields[number - _BEHIND_THE_NAME]) for number in (_ARG_START, _ARG_END))
    except (OSError, ValueError, IndexError):
        return
    import ctypes  # heavy, and seldom needed

    if not start or end - start != len(shown) or ctypes.string_at(start, len(shown)) != shown:
        return
    for secret in sorted(found, key=len, reverse=True):
        shown = shown.replace(secret, b"*" * len(secret))
    ctypes.memmove(start, shown, len(shown))
