"""Exit statuses of all commands, documented in docs/errors.md.

Supervisors read them: a port that is taken must not be tried again in a loop.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The values are public; a new one needs a row in docs/errors.md."""

    OK = 0
    FAILED = 1
    USAGE = 2  # invalid flags, environment or config file
    PORT_TAKEN = 78  # EX_CONFIG of sysexits.h, as in OpenClaw
    HUNG_UP = 129  # 128 + SIGHUP, as in shells
    INTERRUPTED = 130  # 128 + SIGINT
    TERMINATED = 143  # 128 + SIGTERM
