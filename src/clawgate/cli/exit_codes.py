"""With which status does a command end? Supervisors read these; a port that is taken must not be tried in a loop."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in docs/errors.md."""

    OK = 0
    FAILED = 1
    USAGE = 2  # flags, environment or config file cannot be used
    PORT_TAKEN = 78  # EX_CONFIG of sysexits.h, as OpenClaw uses it
