"""Hides secrets that were given as flags from other users' view of the process list.

On Linux every user can read the arguments of any process (`ps`, /proc/PID/cmdline): they are bytes in its own memory,
which are overwritten here. Elsewhere nothing is changed. `sys.argv` keeps the secrets. A restart by exec passes the
arguments that hold secrets through a pipe, not on the new command line.

Must be cheap to import: it runs before everything else, because the secrets are readable until then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence

ARGUMENTS_VARIABLE = "CLAWGATE_ARGUMENTS_FD"
"""Environment variable of a process that executed itself: ``PID:FD`` of the pipe with its real arguments."""

_SECRET_WORDS = ("token", "password", "secret", "key")
_NO_SECRET = ("--proxy-tokens-file", "--tls-key", "--client-key", "--stdin-secret")
"""Flags that name a file or take no value."""
_MAX_PIPE_BYTES = 16_384
"""Fits into the buffer of a pipe on every platform, so that the write before the exec cannot block."""
_ARG_START, _ARG_END = 48, 49  # fields of /proc/PID/stat, counted from 1: proc_pid_stat(5)
_FIRST_FIELD = 3  # the first one after the process's name, which may contain anything


def hide_arguments() -> None:
    """Overwrite secret arguments in the process list; restore real ones that came through a pipe. Call this first."""
    _restore_arguments()
    _overwrite(mask_arguments)


def redact_argv(secrets: Iterable[str]) -> None:
    """Overwrite each of ``secrets`` in the process list, wherever it is part of an argument."""
    values = sorted((secret.encode() for secret in secrets if secret), key=len, reverse=True)

    def mask(arguments: list[bytes]) -> list[bytes]:
        for value in values:
            arguments = [argument.replace(value, b"*" * len(value)) for argument in arguments]
        return arguments

    if values:
        _overwrite(mask)


def secret_flags(arguments: Sequence[str]) -> list[str]:
    names = (argument.partition("=")[0] for argument in arguments)
    return [name for name in names if name.startswith("--") and _is_secret_name(name)]


def argument_warnings(arguments: Sequence[str]) -> list[str]:
    """Return a warning for each secret flag: it can be read before `hide_arguments` runs."""
    return [
        f"{flag}: other users can read it in the process list until the program has started; "
        "set it in the environment, in the config or in a file for --env-file"
        for flag in secret_flags(arguments)
    ]


def mask_arguments(arguments: Sequence[bytes]) -> list[bytes]:
    """Return arguments of the same lengths, with the values of secret names and the passwords of URLs masked.

    A secret name is an option (``--token X``, ``--token=X``) or a key path (``config set gateway.auth.token X``).
    """
    masked = []
    previous_is_secret = False
    for argument in arguments:
        name, equals, value = argument.partition(b"=")
        is_secret = _is_secret_name(name.decode("utf-8", "replace"))
        if previous_is_secret:
            masked.append(b"*" * len(argument))
        elif is_secret and equals:
            masked.append(name + equals + b"*" * len(value))
        else:
            scheme, separator, rest = argument.partition(b"://")
            userinfo, at, place = rest.rpartition(b"@")
            hidden = scheme + separator + b"*" * len(userinfo) + at + place
            masked.append(hidden if separator and at else argument)
        previous_is_secret = is_secret and not equals and not previous_is_secret
    return masked


def hand_over_arguments() -> tuple[list[str], dict[str, str]]:
    """Return the arguments of an exec of this program, without secrets, and the environment that restores them."""
    import json

    arguments = [os.fsencode(argument) for argument in sys.orig_argv]
    masked = mask_arguments(arguments)
    real = json.dumps(sys.orig_argv).encode()
    if masked == arguments or len(real) > _MAX_PIPE_BYTES:
        return list(sys.orig_argv), {}
    read_end, write_end = os.pipe()
    os.write(write_end, real)
    os.close(write_end)
    os.set_inheritable(read_end, True)
    return [os.fsdecode(argument) for argument in masked], {ARGUMENTS_VARIABLE: f"{os.getpid()}:{read_end}"}


def _restore_arguments() -> None:
    pid, _, fd = os.environ.pop(ARGUMENTS_VARIABLE, "").partition(":")
    if pid != str(os.getpid()) or not fd.isdecimal():
        return
    import json

    with os.fdopen(int(fd), "rb") as pipe:
        arguments = json.loads(pipe.read())
    if count := len(sys.argv) - 1:
        sys.argv[1:] = arguments[-count:]
    sys.orig_argv[:] = arguments


def _is_secret_name(text: str) -> bool:
    is_name = text.startswith("--") or ("." in text and "/" not in text)
    return is_name and text not in _NO_SECRET and any(word in text.lower() for word in _SECRET_WORDS)


def _overwrite(mask: Callable[[list[bytes]], list[bytes]]) -> None:
    """Replace the arguments that the kernel shows by masked ones of the same lengths."""
    try:
        with open("/proc/self/cmdline", "rb") as file:  # noqa: PTH123  # pathlib is not imported yet
            shown = file.read()
        masked = b"\0".join(mask(shown.split(b"\0")))
        if masked == shown:
            return
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123  # as above
            fields = file.read().rpartition(")")[2].split()
        start, end = (int(fields[number - _FIRST_FIELD]) for number in (_ARG_START, _ARG_END))
    except (OSError, ValueError, IndexError):
        return
    import ctypes  # slow to import, and only needed here

    if start and end - start == len(shown) and ctypes.string_at(start, len(shown)) == shown:
        ctypes.memmove(start, masked, len(masked))
