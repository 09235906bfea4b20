"""Runs a command of clawgate until its stdin ends, so that a child cannot outlive whoever holds the other end.

`python -m clawgate.testing.until_stdin_ends gateway run …`: for commands that have no option for it. The end of stdin
is what a SIGTERM is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from clawgate.cli.main import main as clawgate


def stop_at_eof() -> None:
    """Wait for the end of stdin, and have this process stop."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> None:
    """Run the command with its arguments."""
    threading.Thread(target=stop_at_eof, daemon=True).start()
    sys.argv[1:] = arguments
    clawgate()


if __name__ == "__main__":
    main(sys.argv[1:])
